"""All errors have one base, and an OSError is the operating system's."""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import chained_logging
from chained_logging import errors
from chained_logging.errors import ChainedLoggingError

ROOT = Path(chained_logging.__file__).parent

OF_THE_SYSTEM = {
    name
    for name, found in vars(builtins).items()
    if isinstance(found, type) and issubclass(found, OSError)
}
AS_THE_SYSTEM_SAYS = {"FileExistsError", "FileNotFoundError", "TimeoutError", "ConnectionError"}
"""Raised with a better sentence: there is a file, there is none, a socket is late or closed."""


@functools.cache
def trees() -> dict[Path, ast.Module]:
    return {
        path: ast.parse(path.read_text())
        for path in sorted(ROOT.rglob("*.py"))
        if path != ROOT / "verify.py"
    }


def named(node: ast.expr | None) -> str:
    return ast.unparse(node) if node is not None else ""


def walk(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node  # type: ignore[attr-defined]


def test_an_oserror_is_made_by_the_operating_system() -> None:
    """Or at least with an ``errno``, which comes first of two arguments."""
    made = [
        where
        for where, call in walk(ast.Call)
        if isinstance(call, ast.Call)
        and named(call.func) in OF_THE_SYSTEM - AS_THE_SYSTEM_SAYS
        and len(call.args) < 2
    ]
    assert made == []


def test_no_class_is_an_oserror() -> None:
    assert [
        where
        for where, one in walk(ast.ClassDef)
        if isinstance(one, ast.ClassDef) and OF_THE_SYSTEM & {named(base) for base in one.bases}
    ] == []


@functools.cache
def bases() -> dict[str, list[str]]:
    """Return the bases of every class in the package, by name."""
    return {
        one.name: [named(base) for base in one.bases]
        for _, one in walk(ast.ClassDef)
        if isinstance(one, ast.ClassDef)
    }


def test_every_error_has_the_base() -> None:
    exceptions = {
        name
        for name, found in vars(builtins).items()
        if isinstance(found, type) and issubclass(found, Exception)
    } - {"UserWarning"}
    known = {"ChainedLoggingError"}
    while more := {name for name, of in bases().items() if known & set(of)} - known:
        known |= more
    assert {name for name, of in bases().items() if exceptions & set(of)} <= known


def shown() -> dict[str, str]:
    """Return each class of the tree in the docstring, and the one that it hangs from."""
    found: dict[str, str] = {}
    stack: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if match := re.match(r"((?:│   |    )*(?:├── |└── )?)(\w+)  +\w", line):
            depth = len(match[1]) // 4
            del stack[depth:]
            found[match[2]] = stack[-1] if stack else "Exception"
            stack.append(match[2])
    return found


def test_the_docstring_shows_the_tree() -> None:
    known, tree = bases(), shown()
    assert {name for name, one in vars(errors).items() if isinstance(one, type)} <= tree.keys()
    assert {name: known[name][0] for name in tree} == tree


@pytest.mark.parametrize("name", [name for name in shown() if hasattr(errors, name)])
def test_an_error_can_be_raised_once_more(name: str) -> None:
    """Several threads may get one, each with a traceback of its own."""
    error: ChainedLoggingError = getattr(errors, name)("it is so")
    again = copy.copy(error)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
