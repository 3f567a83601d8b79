"""From a filter to SQL over an index. Values are parameters, never a part of the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chained_logging.review.filter import Filter
from chained_logging.review.index_rows import (
    INCOMPLETE,
    parameter_token,
    record_token,
    token,
    type_token,
)
from chained_logging.review.terms import Choice, Term, Word, terms

FOUND: Final = (
    *("seq", "timestamp", "actor_id", "actor_type", "on_behalf_of", "action", "resource_type"),
    *("resource_id", "result", "ip_address", "user_agent", "session_id", "tenant_id", "trace_id"),
    "changed_fields",
)
"""The columns of what a filter finds, in every store: what the questions may ask for."""

_COLUMNS: Final = ", ".join(FOUND[1:])
_SHARED: Final = "LEFT JOIN shared ON shared.first = entries.shared"  # not read if nothing asks


def indexed(wanted: Filter, values: dict[str, Any]) -> str:
    """Return the query of the entries that a filter finds, with the columns :data:`FOUND`.

    Fields, records and words are found in the inverted index, all at once; what else is asked is
    a range of ``seq``, or of times.

    :param values: takes the parameters of the query, by their names.
    """
    match = _match(terms(wanted.narrowed(id=(), trace_id=())))
    seq = "words.rowid" if match else "entries.seq"
    conditions = [*_ranges(wanted, seq, values), *_numbers(wanted, seq, values)]
    source = "entries"
    if match:
        source = "words CROSS JOIN entries ON entries.seq = words.rowid"
        values["match"] = match
        conditions.insert(0, "words MATCH :match")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {seq} AS seq, {_COLUMNS} FROM {source} {_SHARED}{where}"  # noqa: S608 -- names from here


def _ranges(wanted: Filter, seq: str, values: dict[str, Any]) -> Iterator[str]:
    for name, condition in _RANGES.items():
        value = getattr(wanted, name)
        if value is not None:
            values[name] = value
            # SQLite begins at one of two lower bounds: at the number, where one is given.
            other = "+" if name == "since" and wanted.first_seq is not None else ""
            yield condition.format(seq=other + seq)


def _numbers(wanted: Filter, seq: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield conditions for the fields that are stored as the numbers that they are."""
    for column, given in (("id", wanted.id), ("trace", wanted.trace_id)):
        if not given:
            continue
        marks = []
        for number, text in enumerate(given):
            values[f"{column}_{number}"] = _bytes(text)
            marks.append(f":{column}_{number}")
        condition = f"entries.{column} IN ({', '.join(marks)})"
        yield condition
        for limit, sign in (("min", ">="), ("max", "<=")):
            yield f"{seq} {sign} (SELECT {limit}(seq) FROM entries WHERE {condition})"  # noqa: S608


def _bytes(text: str) -> bytes | None:
    """Return the bytes of a UUID or a number; None, which fits nothing, for what is neither."""
    try:
        return bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None


# A period is narrowed to the blocks that may have it: entries are nearly in the order of time.
_RANGES: Final = {
    "since": "entries.timestamp >= :since AND {seq} >="
    " (SELECT coalesce(min(block) << 10, 0) FROM spans WHERE latest >= :since)",
    "until": "entries.timestamp < :until AND {seq} <"
    " (SELECT coalesce((max(block) + 1) << 10, 0) FROM spans WHERE earliest < :until)",
    "first_seq": "{seq} >= :first_seq",
    "last_seq": "{seq} <= :last_seq",
}


def _match(choices: list[Choice]) -> str:
    """Return what must all be true, in the language of FTS5."""
    return " AND ".join(
        "(" + " OR ".join(" AND ".join(map(_spelled, every)) for every in choice) + ")"
        for choice in choices
    )


def _spelled(term: Term | Word) -> str:
    if isinstance(term, Word):
        return "(" + " OR ".join(f'"{f}"' + " *" * term.prefix for f in term.forms) + ")"
    if term.of == "record_id":
        return f'"{record_token(None, term.value)}" *'
    return f'"{_token(term)}"'


def _token(term: Term) -> str:
    if term.of == "record":
        return record_token(term.kind, term.value)
    if term.of == "parameter":
        return parameter_token(term.kind, term.value)
    if term.of == "type":
        return type_token(term.value)
    return INCOMPLETE if term.of == "incomplete" else token(term.of, term.value)
