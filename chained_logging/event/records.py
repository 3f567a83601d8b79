"""The further records that one event touched: the field ``resources``.

Each can be given in any form that ``resource=`` takes. A list that is too long for one body is
divided into several entries, and each says in its context which part it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, KeysView, Mapping, Sequence, Set, ValuesView
from typing import Any, Final

import orjson
from orjson import Fragment

from chained_logging.errors import ChainedLoggingError
from chained_logging.event import values
from chained_logging.event.oversize import parse
from chained_logging.event.resources import resource
from chained_logging.format.line import MAX_BODY

PART: Final = "resources_part"
"""The key of the context that says which part of a divided list an entry holds."""

Record = dict[str, str]
"""``{"id": …, "type": …}``"""

_LISTS: Final = (list, tuple, set, frozenset, KeysView, ValuesView)
_IDENTITY: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# A part may be this long whatever else there is: two identifiers of 1,024 bytes fit, and beside it
# seven more with all other values as digests. An identifier's byte takes up to six in JSON.
_LEAST: Final = 16_384
_BESIDE: Final = 1_000  # `seq`, `prev_hash`, the mark of a part, and the names of all three


class PartlyValid(ChainedLoggingError, ValueError):
    """Some of a list's items are not valid.

    :ivar kept: what the others are stored as.
    :ivar refused: those items.
    """

    def __init__(self, problem: str, kept: list[Record], refused: list[Any]) -> None:
        super().__init__(problem)
        self.kept = kept
        self.refused = refused


def pairs(value: Any) -> list[tuple[Any, Any]]:
    """Return type and id of each record in a list, None for a part that was not given.

    :raises ValueError: if it is not a list. Nothing is iterated over that an iteration consumes or
        loads.
    """
    if not isinstance(value, _LISTS):
        raise ValueError("is not a list of resources")
    found = [parts(item) for item in value]
    return sorted(found, key=repr) if isinstance(value, Set) else found


def parts(value: Any) -> tuple[Any, Any]:
    """Return type and id of whatever names a record; the rules refuse what does not."""
    try:
        return tuple(resource(value))
    except Exception:
        return [value], None


def rule(identifier: Callable[[Any], str]) -> Callable[[Any], list[Record]]:
    """Return the rule of the field.

    :param identifier: the rule of a type and of an id.
    """

    def records(value: Any) -> list[Record]:
        kept: list[Record] = []
        refused: list[Any] = []
        problem = ""
        for number, (kind, id) in enumerate(pairs(value), 1):
            try:
                kept.append({"id": identifier(id), "type": identifier(kind)})
            except Exception as error:  # a value whose own methods fail is not valid either
                reason = str(error) if type(error) is ValueError else "cannot be read"
                problem = problem or f"has an item that is not a resource: number {number} {reason}"
                refused.append({"id": id, "type": kind})
        kept = named(kept, {})
        if refused:
            raise PartlyValid(problem, kept, refused)
        return kept

    return records


def named(records: Sequence[Record], names: Mapping[str, str]) -> list[Record]:
    """Return each record once, with the type's name in the log."""
    found = {(names.get(record["type"], record["type"]), record["id"]): None for record in records}
    return [{"id": id, "type": kind} for kind, id in found]


def divided(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of the entries that an event becomes: one, or as many as its list needs.

    All but ``resources`` and the mark in the context is the same in each.
    """
    sizes = [len(orjson.dumps(record)) + 1 for record in fields["resources"]]
    if sum(sizes) <= _LEAST:
        return [dict(fields)]
    context = fields["context"]
    text = values.encode(context) if type(context) is dict else _text(context)
    others = {**fields, "context": Fragment(text), "resources": []}
    room = max(_LEAST, MAX_BODY - _BESIDE - len(orjson.dumps(others, None, values.ORJSON)))
    lists: list[list[Record]] = [[]]
    left = room
    for record, size in zip(fields["resources"], sizes, strict=True):
        if size > left:
            lists.append([])
            left = room
        lists[-1].append(record)
        left -= size
    if len(lists) == 1:
        return [dict(fields)]
    about = parse(text)
    return [
        {
            **fields,
            "resources": records,
            "context": {**about, PART: {"number": number, "of": len(lists)}},
        }
        for number, records in enumerate(lists, 1)
    ]


def is_part(fields: Mapping[str, Any]) -> bool:
    """Return whether the mark of a part, in an entry that was read back, is one of ours.

    :raises: AttributeError, KeyError or TypeError, if it is far from it.
    """
    part = fields["context"][PART]
    number, of = part["number"], part["of"]
    return (
        part.keys() == {"id", "number", "of"}
        and "resources" in fields
        and type(number) is type(of) is int
        and 1 <= number <= of
        and of >= 2
        and _IDENTITY.fullmatch(part["id"]) is not None
        and (part["id"] == fields["id"]) is (number == 1)
    )


def _text(fragment: Fragment) -> str:
    return orjson.dumps(fragment).decode()
