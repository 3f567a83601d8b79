"""What the fields of a rule are in an entry.

A name such as ``actor_id`` is a field of the entry. Any other is looked for in its ``context``, so
``userIdentity.type`` is ``context.userIdentity.type``. Names are compared without regard to case,
and where a list is on the way, each of its items counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from chained_logging.event.fields import FIELDS

BODY: Final = "the whole entry"
"""The field that stands for all of an entry: what a rule without a field name searches."""

OWN: Final = frozenset({*FIELDS, "context", "id", "seq"})
"""The fields of an entry."""
LISTS: Final = frozenset({"changed_fields", "resources", "old_values", "context", BODY})
SINGLE: Final = frozenset(
    {*(OWN - LISTS), "eventName", "eventSource", "errorCode", "eventType", "verb", BODY}
)
"""Fields that never hold a list. Conditions on them can use an index."""

LOGSOURCES: Final[dict[str, dict[str, str]]] = {
    "chained_logging": {"actor": "actor_id", "ip": "ip_address", "session": "session_id"},
    "aws": {name: f"context.{name}" for name in ("resources", "id", "action", "reason")},
    "okta": {},
    "github": {"actor": "actor_id"},
    "kubernetes": {},
}
"""The products whose rules can be loaded, and which of their fields have another name here."""


Row = dict[int, str]
"""The values of fields as text, by the numbers of the fields."""
_MOST_SEEN: Final = 1000


class Node:
    """A place in a JSON object that rules ask for, and what they ask for below it.

    :ivar column: the number of its column; None if only what is below it is asked for.
    :ivar below: what is asked for below it, by names in lower case.
    :ivar seen: the same by names as entries have them, None for one that nobody asks for.
    """

    __slots__ = ("below", "column", "seen")

    def __init__(self) -> None:
        self.column: int | None = None
        self.below: dict[str, Node] = {}
        self.seen: dict[str, Node | None] = {}


class Fields:
    """Finds the values of some fields in entries.

    :param names: of the fields, in the order of :meth:`row`. None is there twice, in any case.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._top = Node()
        for column, name in enumerate(self.names):
            node = self._top
            for part in _path(name):
                node = node.below.setdefault(part.lower(), Node())
            node.column = column
        self._body = self.names.index(BODY) if BODY in self.names else None

    def row(self, entry: Mapping[str, Any], body: bytes) -> tuple[Row, dict[int, list[str]]]:
        """Return the value of each field that is there; and of which there are several, by their
        numbers.
        """
        row: Row = {}
        several: dict[int, list[str]] = {}
        _walk(self._top, entry, row, several)
        if self._body is not None:
            row[self._body] = body.decode()
        for column, values in several.items():
            row[column] = json.dumps(values, ensure_ascii=False)
        return row, several


class Needed:
    """Says whether one of some fields has one of its values, in any case.

    :param fields: finds the values.
    :param needs: fields, each with values in lower case.
    """

    def __init__(self, fields: Fields, needs: Iterable[tuple[str, Iterable[str]]]) -> None:
        columns = {name.lower(): column for column, name in enumerate(fields.names)}
        values: dict[int, set[str]] = {}
        for name, some in needs:
            values.setdefault(columns[name.lower()], set()).update(some)
        self._values = list(values.items())

    def by(self, row: Row, several: Mapping[int, list[str]]) -> bool:
        """Whether it is so in a row of :meth:`Fields.row`."""
        for column, values in self._values:
            text = row.get(column)
            if text is not None and text.lower() in values:
                return True
            if column in several and not values.isdisjoint(map(str.lower, several[column])):
                return True
        return False


def _path(name: str) -> list[str]:
    parts = name.split(".")
    return parts if parts[0].lower() in OWN else ["context", *parts]


def _walk(node: Node, value: Any, row: Row, several: dict[int, list[str]]) -> None:
    if isinstance(value, list):
        for item in value:
            _walk(node, item, row, several)
        return
    if node.column is not None and value is not None:
        _put(node.column, _text(value), row, several)
    if node.below and isinstance(value, dict):
        seen = node.seen
        for name, item in value.items():
            try:
                below = seen[name]
            except KeyError:
                below = _below(node, name)
            if below is None or item is None:
                continue
            if type(item) is str and below.column is not None and below.column not in row:
                row[below.column] = item  # nearly always
            else:
                _walk(below, item, row, several)


def _below(node: Node, name: str) -> Node | None:
    """Return what is asked for under a name, which may be several with dots between."""
    found: Node | None = node
    for part in name.lower().split("."):
        found = found.below.get(part) if found else None
    if len(node.seen) < _MOST_SEEN:  # others choose the names
        node.seen[name] = found
    return found


def _put(column: int, text: str, row: Row, several: dict[int, list[str]]) -> None:
    if column not in row:
        row[column] = text
    elif column in several:
        several[column].append(text)
    else:
        several[column] = [row[column], text]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # a number that it does not hold, or nested deeper
        return json.dumps(value, ensure_ascii=False)
