"""From a filter to what an inverted index is asked for, whatever the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from chained_logging.event.identifiers import MAX_IDENTIFIER
from chained_logging.event.resources import split
from chained_logging.review import names
from chained_logging.review.filter import COLUMNS, Filter

FIELDS: Final = (*COLUMNS, "changed")
"""The fields of a filter whose values are terms."""

Of = Literal["record", "parameter", "type", "record_id", "incomplete"]

LETTERS: Final = {
    "actor": "a",
    "actor_type": "k",
    "on_behalf_of": "o",
    "action": "v",
    "result": "q",
    "ip": "p",
    "user_agent": "u",
    "session": "s",
    "tenant": "n",
    "trace_id": "t",
    "id": "i",
    "changed": "c",
    "type": "y",
    "record_id": "j",
    "record": "x",
    "parameter": "z",
    "incomplete": "m",
}
"""What the terms of each kind begin with in an inverted index: see ``ship/postgres/schema.sql``."""


_LONGEST: Final = 2 * MAX_IDENTIFIER + 1
"""Characters of a type, a slash and an id. Of more, each slash would still cost as much again."""


class Term(NamedTuple):
    """A value that an entry has.

    :ivar of: a field of a filter, or one of :data:`Of`.
    :ivar value: the value; of a record its id.
    :ivar kind: of a record its type.
    """

    of: str
    value: str
    kind: str = ""


class Word(NamedTuple):
    """A word that an entry has, in one of some forms; or its beginning."""

    forms: tuple[str, ...]
    prefix: bool


Choice = list[list[Term | Word]]
"""Alternatives; of each, all must be there."""


def terms(wanted: Filter) -> list[Choice]:
    """Return what an entry must have so that a filter finds it, besides its time and its number."""
    return [choice for choice in _choices(wanted) if choice]


def _choices(wanted: Filter) -> Iterator[Choice]:
    for name in FIELDS:
        yield [[Term(name, value)] for value in getattr(wanted, name)]
    yield [[term] for value in wanted.resource for term in _named(value)]
    yield [[Term("incomplete", "")]] * wanted.incomplete
    yield [[Word(*word) for word in names.asked(text)] for text in wanted.text]


def _named(wanted: str) -> Iterator[Term]:
    """Yield the terms for a resource: see :func:`chained_logging.review.names.concerns`."""
    slashes = (at for at, char in enumerate(wanted) if char == "/")
    pairs = []
    if len(wanted) <= _LONGEST:
        pairs = [(wanted[:at], wanted[at + 1 :]) for at in slashes]
    kind, id = split(wanted)
    if kind is not None and id is not None:
        pairs.append((kind, id))
        yield Term("parameter", id, kind)
    yield from (Term("record", id, kind) for kind, id in dict.fromkeys(pairs))
    yield Term("type", wanted)
    yield Term("record_id", wanted)
