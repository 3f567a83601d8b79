"""The checklist as text for a terminal, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from chained_logging.review.checklist.answer import Answer, Found, Status

WIDTH: Final = 100
_HEADS: Final = {"point": "Ten points", "clause": "Clauses"}
_INDENT: Final = " " * 8
BEYOND: Final = "nobody can see from here:"


def lines(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield the checklist as lines of text: each answer, why, and what mends it."""
    for kind, head in _HEADS.items():
        those = [one for one in answers if one.kind == kind]
        if those:
            yield f"{head}: {counted(those)}"
            for answer in those:
                yield ""
                yield from _answer(answer)
            yield ""


def _answer(answer: Answer) -> Iterator[str]:
    head = f"{answer.status.upper()}  {answer.name}: {answer.title}"
    yield from textwrap.wrap(head, WIDTH, subsequent_indent=" " * 4)
    for one in answer.found:
        yield from _found(one, answer.status)
    if answer.beyond is not None:
        yield from _wrapped(f"{BEYOND} {answer.beyond}")
    if not answer.found:
        yield from _wrapped(f"yours: {answer.yours}")


def _found(found: Found, of: Status) -> Iterator[str]:
    mark = "" if found.status is of else f"{found.status}: "
    yield from _wrapped(f"{mark}{found.sentence}")
    if found.mend is not None:
        yield from _wrapped(f"to mend it: {found.mend}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def counted(answers: Sequence[Answer]) -> str:
    """Return how many answers there are of each status: ``3 met, 1 not met``."""
    counts = Counter(one.status for one in answers)
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def as_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Return the answers as JSON types, with all the evidence."""
    return [
        {
            "kind": one.kind,
            "number": one.number,
            "title": one.title,
            "status": one.status.value,
            "gives": one.gives,
            "yours": one.yours,
            "beyond": one.beyond,
            "found": [_found_json(found) for found in one.found],
        }
        for one in answers
    ]


def _found_json(found: Found) -> dict[str, Any]:
    return {
        "probe": found.probe,
        "status": found.status.value,
        "sentence": found.sentence,
        "mend": found.mend,
        "seen": [piece._asdict() for piece in found.seen],
    }
