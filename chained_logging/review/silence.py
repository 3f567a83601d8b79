"""What to say where a filter finds nothing: more than just that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chained_logging.review.filter import ANY, COLUMNS, Filter
from chained_logging.review.moments import spoken
from chained_logging.review.query import Engine
from chained_logging.text import printable

_SUGGESTED: Final = ("action", "actor", "actor_type", "result", "tenant", "ip", "on_behalf_of")
_KNOWN: Final = 20_000  # values of a column that are compared with what was asked


def explain(engine: Engine, wanted: Filter) -> list[str]:
    """Return in sentences what was looked at, and which part of a filter fits no entry at all."""
    scope = engine.scope()
    if scope.earliest is None or scope.latest is None:
        return ["no entry matches: the log has no entries"]
    looked = _looked_at(scope.entries, scope.earliest, scope.latest)
    return [
        f"no entry matches: {looked}, for entries {wanted.words()}",
        *_unmatched(engine, wanted),
    ]


def explain_answer(engine: Engine, wanted: Filter) -> list[str]:
    """Return in sentences what was looked at where a named question has no answer."""
    scope = engine.scope(wanted)
    if scope.earliest is None or scope.latest is None:
        return explain(engine, wanted)
    looked = _looked_at(scope.entries, scope.earliest, scope.latest)
    return [f"no entry answers the question: {looked}, {wanted.words()}"]


def _looked_at(count: int, earliest: str, latest: str) -> str:
    entries = "1 entry" if count == 1 else f"{count:,} entries"
    return f"looked at {entries}, {spoken(earliest)} to {spoken(latest)}"


def _unmatched(engine: Engine, wanted: Filter) -> Iterator[str]:
    """Yield a sentence for each value that no entry of the log has."""
    alone = 0
    for name, value in wanted.pairs():
        part = Filter.of([(name, value)])
        if engine.entries(part, limit=1).entries:
            alone += 1
            continue
        near = _near(engine, name, value) if name in _SUGGESTED else []
        hint = f": did you mean {' or '.join(map(printable, near))}?" if near else ""
        yield f"no entry of the log is one {part.words()}{hint}"
    if alone == len(wanted.pairs()) > 1:
        yield "each part of the filter matches entries, and no entry matches all of them"


def _near(engine: Engine, name: str, value: str) -> list[str]:
    column = COLUMNS[name]
    known = engine.facets(ANY, columns=[column], limit=_KNOWN)[column]
    folded = {str(text).casefold(): str(text) for text, _ in reversed(known)}
    import difflib  # only for who finds nothing

    found = difflib.get_close_matches(value.casefold(), folded, n=2, cutoff=0.7)
    return [folded[text] for text in found]
