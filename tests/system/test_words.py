"""What people read is plain English: a list of phrases that a reader has to read twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from folders import ROOT

from chained_logging.cli import cli

INSTEAD: Final = {
    "is none": "say the condition: if the text is not a UUID; if it does not exist",
    "has none": "say what is missing: without a key",
    "of which none": "begin a new sentence: none of them",
    "whoever": "anyone who",
    "stands there": "exists, is stored",
    "such a one": "name the thing again",
    "anew": "again; recompute, rewrite, start over",
    "for ever": "forever, permanently",
    "all the same": "still, anyway",
    "stands here": "is here, appears here",
    "stands beside": "is beside",
    "in the last resort": "for what remains",
    "comes of it": "say what happens: the result",
    "be it": "or: the current key, or a revoked one",
    "so it does": "repeat the verb",
    "lest": "so that it does not",
    "let go of": "close, release",
    "no matter of": "does not depend on",
    "what becomes of": "what happens to",
    "of his own": "his, their own; that he adds",
    "as it stood": "as it was",
    "stands at": "is at, has the number",
    "stands twice": "occurs twice",
    "stood before": "came before",
    "in its place stands": "it is replaced by",
    "had its place": "came, was there",
    "goes by the": "depends on, uses",
    "is no": "is not a; but: there is no",
}
"""Each phrase, and what to write. ``is None``, as Python has it, is another one."""

_KEPT: Final = "longer|more|need|problem|reason|way|such|change|card|harm|better"

_GAP: Final = r"\s+(?:(?:#|--|//|\*)\s+)?"  # a phrase may run on in the next line of a comment
_ODD: Final = {
    phrase: re.compile(
        rf"\b[{phrase[0]}{phrase[0].upper()}]" + phrase[1:].replace(" ", _GAP) + r"\b"
    )
    for phrase in INSTEAD
}
_ODD["is no"] = re.compile(
    rf"\b(?!there\b|There\b)[\w`)]+,?{_GAP}(?:is|are){_GAP}no{_GAP}(?!(?:{_KEPT})\b)[a-z`]"
)


def sources() -> Iterator[Path]:
    """Yield the package, the verifier's parts, the documentation and the examples."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in ("chained_logging", "verifier", "docs", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            read = path.suffix in {".js", ".md", ".py", ".sql"} and "node_modules" not in path.parts
            if read and path.name != "verify.py":  # that is joined from the verifier's parts
                yield path


def odd(text: str, name: str) -> Iterator[str]:
    """Yield the phrases in a text, each with its line and what to write instead."""
    for phrase, pattern in _ODD.items():
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{name}:{line}: {phrase!r}: {INSTEAD[phrase]}"


def helps(command: click.Command, name: str = "chained-logging") -> Iterator[tuple[str, str]]:
    """Yield the help of a command and of those below it."""
    yield f"{name} --help", command.get_help(click.Context(command, info_name=name))
    for below, other in sorted(getattr(command, "commands", {}).items()):
        yield from helps(other, f"{name} {below}")


def test_the_sources_are_in_plain_english() -> None:
    read = list(sources())
    assert len(read) > 150
    found = [
        line for path in read for line in odd(path.read_text("utf-8"), str(path.relative_to(ROOT)))
    ]
    assert not found, "\n".join(found)


def test_the_help_is_in_plain_english() -> None:
    shown = dict(helps(cli))
    assert "chained-logging verify --help" in shown
    found = [line for name, text in shown.items() for line in odd(text, name)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x is None\n# Return it; None if there is none.", 2),
        ("    if it is\n    none.", 1),
        ("1\n2\n# It is signed, and it is\n# none of ours.", 3),
        ("Whoever holds it", 1),
        ("-- the row stands\n-- there already", 1),
    ],
)
def test_a_phrase_is_found_with_its_line(text: str, line: int) -> None:
    (found,) = odd(text, "a.py")
    assert found.startswith(f"a.py:{line}: ")


def test_python_is_left_alone() -> None:
    assert not list(odd("if x is None or y is not None:\n    return None", "a.py"))
