"""The package is a house: a room imports only rooms on the floors below it, and no circle.

Its files are short, and its functions simple.
"""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chained_logging

ROOT = Path(chained_logging.__file__).parent

FLOORS = [
    {"errors"},
    {"text", "diagnostics", "verify", "net"},
    {"format"},
    {"files"},
    {"event", "config"},
    {"redact", "keys", "formats"},
    {"sinks"},
    {"ship"},
    {"log"},
    {"transparency", "integrations", "collector"},
    {"review"},
    {"cli"},
    {"testing", "__init__", "__main__"},  # what users import and run
]
"""Rooms, the lowest floor first. Rooms on one floor do not know each other."""

FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def modules() -> Iterator[Path]:
    return (path for path in ROOT.rglob("*.py") if path != ROOT / "verify.py")


def name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a module imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            full = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for each in full:
            if each.startswith("chained_logging."):
                yield _module(each.removeprefix("chained_logging."))


def _module(dotted: str) -> str:
    path = ROOT.joinpath(*dotted.split("."))
    is_module = path.with_suffix(".py").exists() or path.is_dir()
    return dotted if is_module else dotted.rpartition(".")[0] or "__init__"


NAMES = sorted(map(name, modules()))


@functools.cache
def graph() -> dict[str, set[str]]:
    """Return what each module imports."""
    return {name(path): set(imports(path)) for path in modules()}


def test_every_room_has_a_floor() -> None:
    assert {module.partition(".")[0] for module in NAMES} | {"verify"} == set(FLOOR)


@pytest.mark.parametrize("module", NAMES)
def test_a_room_imports_only_what_lies_below(module: str) -> None:
    room = module.partition(".")[0]
    for imported in graph()[module]:
        other = imported.partition(".")[0]
        assert room == other or FLOOR[other] < FLOOR[room], f"{module} imports {imported}"


def test_no_circle() -> None:
    """Not even within a room. A package's own ``__init__`` is asked for by name only."""
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done or module not in graph():
            return
        path.append(module)
        for imported in sorted(graph()[module]):
            if imported != module:
                visit(imported)
        done.add(path.pop())

    for module in NAMES:
        visit(module)


LONGEST = 500


def test_no_file_is_too_long() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in modules()
    }
    assert {path for path, length in lengths.items() if length > LONGEST} == set()


def test_most_functions_are_simple() -> None:
    """At most one in forty has a cyclomatic complexity above 10; ruff refuses those above 20."""
    rule = ["--select", "C901", "--config", "lint.mccabe.max-complexity=10", "--ignore-noqa"]
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json", *rule]
    found = subprocess.run([*command, ROOT], capture_output=True, check=False, text=True)
    functions = sum(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
    )
    complex_ones = [each["message"] for each in json.loads(found.stdout)]
    assert len(complex_ones) <= functions / 40, "\n".join(complex_ones)
