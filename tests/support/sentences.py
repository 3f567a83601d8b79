"""The sentences with which ``ship`` and ``restore`` fail or warn, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from folders import ROOT

PACKAGE: Final = ROOT / "chained_logging"
_SHIP: Final = {"Refused", "Unfit", "BrokenChain", "DestinationError", "ShipError"}
_SHIP_CALLS: Final = _SHIP | {"_alert", "_asking", "warning"}
_RESTORE: Final = _SHIP | {"Busy", "FileExistsError", "ForeignFile", "ValueError", "append"}
_LANDS: Final = {"land.py", "landing.py", "consumers.py", "batch.py", "message.py"}
"""What moves entries from a stream to a store: the command ``land`` has alerts of its own."""
_RAISED_BY_SQL: Final = re.compile(
    r"RAISE EXCEPTION (?:USING ERRCODE = 'CL00\d', MESSAGE = *\n?\s*(?:(?:pg_catalog\.)?format\()?"
    r"\s*)?'((?:[^']|'\s*\n\s*')*)'"
)


def sentences() -> dict[str, str]:
    """Return each sentence, with ``…`` for what differs from time to time, and where it is said."""
    found: dict[str, str] = {}
    for path, calls in _modules():
        where = str(path.relative_to(PACKAGE))
        tree = ast.parse(path.read_text("utf-8"))
        found |= dict.fromkeys((re.sub("%[sd]", "…", text) for text in _called(tree, calls)), where)
        found |= dict.fromkeys(_reasons(tree), where)
    schema = PACKAGE / "ship" / "postgres" / "schema.sql"
    for text in _RAISED_BY_SQL.findall(schema.read_text("utf-8")):
        joined = re.sub(r"'\s*\n\s*'", "", text)
        found[re.sub("%[sL]?", "…", joined)] = "ship/postgres/schema.sql"
    return {text: where for text, where in found.items() if len(re.findall("[a-z]+", text)) > 1}


def _modules() -> Iterator[tuple[Path, set[str]]]:
    """Yield the modules, each with the names of what takes a sentence for a person."""
    for path in sorted((PACKAGE / "ship").rglob("*.py")):
        if path.name not in _LANDS:
            yield path, _RESTORE if path.name == "vouched.py" else _SHIP_CALLS
    for name in ("restore", "furthest"):
        yield PACKAGE / "review" / f"{name}.py", _RESTORE


def _called(tree: ast.Module, calls: set[str]) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            named = _assigned(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args and _name(node.func) in calls:
                    yield from _texts(node.args[0], named)


def _reasons(tree: ast.Module) -> Iterator[str]:
    """Yield the values of tables of reasons: ``_FINAL``, by S3's code."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and _name(node.target) == "_FINAL":
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                yield from _texts(value, {})


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                found.setdefault(_name(target), []).append(node.value)
        elif isinstance(node, ast.AugAssign):
            found.setdefault(_name(node.target), []).append(node.value)
    return found


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _texts(node: ast.expr, named: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield a text with ``…`` for each part that is filled in; of a choice, both."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
        yield "".join(map(str, parts))
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, named)
        yield from _texts(node.orelse, named)
    elif isinstance(node, ast.BinOp):
        for left in _texts(node.left, named):
            for right in list(_texts(node.right, named)) or ["…"]:
                yield left + right
    elif isinstance(node, ast.Name):
        for value in named.get(node.id, ()):
            if not isinstance(value, ast.Name):
                yield from _texts(value, named)
