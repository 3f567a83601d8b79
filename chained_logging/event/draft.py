"""Turns an event, as code logs it, into an entry that only lacks its position in the chain.

The rules are those of ``docs/format.md``. An event is never dropped for being
imperfect: what is missing or not valid is stored as ``unknown``, and the entry
says so under ``context.invalid``. With ``strict`` it is refused instead, with
every fault named at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import orjson
from orjson import Fragment

from chained_logging.event import values
from chained_logging.event.clock import timestamp, uuid7
from chained_logging.event.entry import InvalidEntry
from chained_logging.event.fields import (
    ADDRESSLESS,
    FIELD_OF,
    FIELDS,
    MARKS,
    OURSELVES,
    REQUIRED,
    RESULTS,
    TEXTS,
    UNKNOWN,
    prepared,
    shows,
)
from chained_logging.event.identifiers import MAX_IDENTIFIER
from chained_logging.event.oversize import parse, shrink
from chained_logging.event.records import PART, PartlyValid, divided, named, parts
from chained_logging.event.resources import split
from chained_logging.format.canonical import canonical_text
from chained_logging.format.line import MAX_BODY

Redact = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes secrets out of an event: see :mod:`chained_logging.redact`."""


class Draft:
    """An entry that only lacks its position in the chain.

    :ivar fields: each value as ``orjson`` writes it canonically: a plain string, None, or a
        ``Fragment`` that holds canonical JSON already. A ``context`` may also be what
        :func:`chained_logging.event.values.encode` leaves to ``orjson``.
    """

    __slots__ = ("fields", "id", "incomplete")
    rest: tuple[Draft, ...] = ()
    """The entries that follow it, of an event whose ``resources`` fill several."""

    def __init__(self, id: str, fields: dict[str, Any], incomplete: bool) -> None:
        self.id = id
        self.fields = fields
        self.incomplete = incomplete

    def body(self, seq: int, prev_hash: str) -> bytes:
        """Return the canonical body at this position in the chain."""
        fields = self.fields
        fields["seq"] = seq
        fields["prev_hash"] = prev_hash
        # 0.5 µs for the whole body. Field names are ASCII, so the order of bytes is that of
        # RFC 8785, and strings are written as it asks.
        try:
            body = orjson.dumps(fields, None, values.ORJSON)
        except TypeError:
            context = fields["context"]
            if type(context) is not dict:
                raise
            # A surrogate or a large integer in a plain context.
            fields["context"] = Fragment(values.encode(context))
            return self.body(seq, prev_hash)
        if len(body) > MAX_BODY:
            self.fields = shrink(fields, len(body) - _ROOM)
            return self.body(seq, prev_hash)
        return body

    @classmethod
    def from_body(cls, body: bytes) -> Draft:
        """Return the draft of a body, whatever its position.

        :raises ValueError: if it is not the body of a draft.
        """
        try:
            fields = parse(body.decode())
            position = fields["seq"], fields["prev_hash"]
            incomplete = "invalid" in fields["context"]
            for name in ("context", "old_values", "changed_fields"):
                if name in fields:
                    fields[name] = Fragment(canonical_text(fields[name]))
            draft = cls(fields["id"], fields, incomplete)
            if draft.body(*position) == body:
                return draft
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not the body of an entry: {error}") from None
        raise ValueError("not the body of an entry: it is not canonical")


class _FirstDraft(Draft):
    """The first of several entries that one event becomes."""

    __slots__ = ("rest",)

    def __init__(
        self, id: str, fields: dict[str, Any], incomplete: bool, rest: tuple[Draft, ...]
    ) -> None:
        super().__init__(id, fields, incomplete)
        self.rest = rest


# A body has at most this after its shrinking, whatever its position: digests are as long as the
# largest `seq` and the longest `prev_hash` leave room for.
_ROOM: Final = MAX_BODY - len(f"{2**63}{'0' * 64}")
_NO_NAMES: Final[Mapping[str, str]] = {}


def draft(
    event: Mapping[str, Any],
    *,
    action: object = None,
    result: str = "success",
    strict: bool = False,
    own: bool = False,
    redact: Redact | None = None,
    resources: Mapping[str, str] = _NO_NAMES,
    captured: bool = False,
) -> Draft:
    """Return the entry that an event makes.

    :param event: fields by name or alias (``actor``, ``user_id``, ``ip``,
        ``resource``); every other key goes to ``context``. Of two keys that
        mean the same field the later wins.
    :param action: the action, where `event` names none.
    :param result: the result, where `event` names none.
    :param own: whether the log says this of itself. Nobody else may bear its name: a verifier
        believes such an entry when it names a key.
    :param redact: takes secrets out of the event: see :mod:`chained_logging.redact`.
    :param resources: the name in the log of each ``resource_type`` that has another one.
    :param captured: whether the event came through somebody's logging, which may have put a
        ``timestamp`` of its own into it, for people: one that cannot be read as a moment is kept
        in the context, and the entry has that of the call.
    :raises InvalidEntry: with `strict`, if a field is missing or not valid.
    """
    if action is not None and event.get("action") is None:
        event = {**event, "action": action}
    shape = _shape_of(event)
    ordinary = True
    if not _FLAT.issuperset(map(type, event.values())):
        event, ordinary = _ready(event, shape, own)
        shape = _shape_of(event)
    if redact is not None:
        redacted = _redacted(event, redact)
        if redacted is not event:
            event, ordinary = redacted, False
            shape = _shape_of(event)
    now = time.time_ns()
    fields = None
    if shape is not None and not own:
        fields = _plain_fields(shape, event, result, ordinary)
    problems: dict[str, str] = {}
    if fields is None:
        fields, problems = _careful_fields(event, result, own, captured)
        if problems and strict:
            raise InvalidEntry(problems)
    fields["id"] = id = uuid7(now)
    if "timestamp" not in fields:
        fields["timestamp"] = timestamp(now)
    if resources:
        kind = fields["resource_type"]
        fields["resource_type"] = resources.get(kind, kind)
    if "resources" in fields:
        return _with_resources(fields, bool(problems), resources)
    return Draft(id, fields, bool(problems))


def _with_resources(fields: dict[str, Any], incomplete: bool, names: Mapping[str, str]) -> Draft:
    """Return the entry of an event that names further resources, followed by its other parts."""
    if names:
        fields["resources"] = named(fields["resources"], names)
    first: str = fields["id"]
    found = divided(fields)
    if len(found) == 1:
        return Draft(first, fields, incomplete)
    for part in found:
        part["context"][PART]["id"] = first
        part["context"] = Fragment(canonical_text(part["context"]))
    for part in found[1:]:
        part["id"] = uuid7(time.time_ns())
    drafts = [Draft(part["id"], part, incomplete) for part in found[1:]]
    return _FirstDraft(first, found[0], incomplete, tuple(drafts))


_STRINGS: Final = frozenset({str})
_FLAT: Final = frozenset({str, int, bool, type(None)})
_FINAL: Final = _FLAT | {float, dict}
"""The types of values that need no preparation."""
_UNSET: Final = frozenset({str, type(None)})


def _ready(
    event: Mapping[str, Any], shape: _Shape | None, own: bool
) -> tuple[Mapping[str, Any], bool]:
    """Return an event that may be searched for secrets, and whether all in it is ordinary."""
    if not own and not _is_prepared(event, shape):
        event = prepared(event)
    if type(event) is dict and values.is_ordinary(event):
        return event, True
    return values.bounded(event), False


def _is_prepared(event: Mapping[str, Any], shape: _Shape | None) -> bool:
    """Whether no field of an event is an object of the program."""
    return _FINAL.issuperset(map(type, event.values())) or (
        shape is not None and _FINAL.issuperset(map(type, shape.objects(event)))
    )


def _redacted(event: Mapping[str, Any], redact: Redact) -> Mapping[str, Any]:
    try:
        return redact(event)
    except Exception as error:  # a caller's own: the event is kept, and nothing that was not seen
        kept = {key: values.REDACTED for key in event if FIELD_OF.get(key, "") in REQUIRED}
        return {**kept, "redaction_failed": values.type_name(error)}


# --- The careful way.


def _careful_fields(
    event: Mapping[str, Any], result: object, own: bool, captured: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of any event, and what is wrong with it."""
    given, context = _sorted_out(event, result)
    fields, problems = _ruled(given, own)
    if captured and "timestamp" in problems and isinstance(given["timestamp"], str):
        del problems["timestamp"]
        context[_free("timestamp", context)] = given["timestamp"]
    if "trace_id" in problems:  # one of another kind, such as Datadog's
        del problems["trace_id"]
        context[_free("trace_id", context)] = given["trace_id"]
    for name in REQUIRED.intersection(problems):
        fields[name] = UNKNOWN
    fields["context"] = _context(context, {name: given[name] for name in problems})
    return fields, problems


def _sorted_out(event: Mapping[str, Any], result: object) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Return the fields that an event gives, by name, and all else."""
    given: dict[str, Any] = {
        "action": None,
        "actor_id": None,
        "actor_type": "user",
        "ip_address": None,
        "resource_id": None,
        "resource_type": None,
        "result": result,
    }
    context: dict[str, Any] = {}
    for key, value in event.items():
        name = FIELD_OF.get(key)
        if name is None:
            context[key] = value
        elif value is None or not name:
            pass
        elif name == "resource":
            given["resource_type"], given["resource_id"] = parts(value)
        else:
            given[name] = value
    if "context" in event:
        _merge_context(context, event["context"])
    return given, context


def _ruled(given: dict[str, Any], own: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields that are valid, and what is wrong with the others.

    Of a list that is valid in part, `given` has the rest then.
    """
    fields: dict[str, Any] = {"v": 1}
    problems: dict[str, str] = {}
    refused: dict[str, Any] = {}
    for name, value in given.items():
        field = FIELDS[name]
        if (  # 60 ns less a field
            type(value) is str
            and field.text
            and value >= "!"
            and len(value) <= MAX_IDENTIFIER
            and value.isascii()
            and value.isprintable()
            and value != values.REDACTED
        ):
            fields[name] = value
            continue
        try:
            fields[name] = field.rule(value)
        except PartlyValid as problem:
            fields[name], refused[name] = problem.kept, problem.refused
            problems[name] = str(problem)
        except ValueError as problem:
            problems[name] = str(problem)
        except Exception:  # a value whose own methods fail is no reason to break the caller
            problems[name] = "cannot be read"
    if fields.get("ip_address", "") is None and fields.get("actor_type") not in ADDRESSLESS:
        problems["ip_address"] = "is missing"
    if fields.get("actor_id") == OURSELVES and not own:
        problems["actor_id"] = "is the name of the log itself"
    given.update(refused)
    return fields, problems


def _context(context: dict[Any, Any], invalid: Mapping[str, Any]) -> Fragment:
    if not _STRINGS.issuperset(map(type, context)):  # a key may be "invalid" in disguise
        context = values.jsonable(context)
    for key in MARKS:
        if key in context:
            context = {
                _free(name, context) if name in MARKS else name: value
                for name, value in context.items()
            }
            break
    if invalid:
        context["invalid"] = invalid
    return Fragment(values.encode(context))


def _merge_context(context: dict[str, Any], given: Any) -> None:
    """Take what a caller passed as ``context=``: more keys, or a value of that name."""
    if given is None:
        return
    try:
        more = dict(given.items()) if issubclass(type(given), Mapping) else {"context": given}
    except Exception:  # a mapping that cannot be read
        more = {"context": given}
    for key, value in more.items():
        context.setdefault(key, value)


def _free(key: str, taken: Mapping[Any, Any]) -> str:
    """Return a key that is not taken, with as many underscores before it as that needs."""
    while key in taken:
        key = f"_{key}"
    return key


# --- The short way, which most events take: 3 µs of the 6 that the careful way needs.


@dataclass(frozen=True, slots=True)  # read 30 ns faster an attribute than a NamedTuple
class _Shape:
    """Where an event's values go, which its keys alone say: worked out once a line of code."""

    objects: Callable[[Any], tuple[Any, ...]]
    """Takes the values of all fields out of an event that may be objects of the program."""
    plain: bool
    """Whether events with these keys may go the short way, to which the rest belongs."""
    texts: Callable[[Any], tuple[Any, ...]]
    """Takes the values of fields that are ordinary text out of an event."""
    names: tuple[str, ...]
    """The names of these fields."""
    others: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    """Of each other field the event's key, its name and its rule."""
    has_address: bool
    """Whether one of these is the address."""
    keys: tuple[str, ...]
    """Its keys of no field."""
    ascii: bool
    """Whether these keys are ASCII, so that `orjson` sorts them as RFC 8785 asks."""


def _getter(keys: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes the values of these keys out of an event."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda event: tuple(event[key] for key in keys)


def _shape(keys: tuple[Any, ...]) -> _Shape | None:
    """Return the shape of events with these keys, or None if a key is not a plain string."""
    if not _STRINGS.issuperset(map(type, keys)):
        return None
    fields = {FIELD_OF[key]: key for key in keys if FIELD_OF.get(key)}
    keys_of_none = tuple(key for key in keys if key not in FIELD_OF)
    twice = len(fields) + len(keys_of_none) < sum(FIELD_OF.get(key) != "" for key in keys)
    parts = {"resource", "resource_type", "resource_id"} & fields.keys()
    names = [name for name in fields if name in TEXTS]
    others = [(key, n, FIELDS[n].rule) for n, key in fields.items() if n not in TEXTS]
    objects = [
        key
        for key in keys
        if (name := FIELD_OF.get(key)) and (name == "resource" or FIELDS[name].prepare)
    ]
    texts = _getter([fields[name] for name in names])
    plain = (
        not twice
        and {"context", *MARKS}.isdisjoint(keys)
        and {"action", "actor_id"} <= fields.keys()
        and parts in ({"resource"}, {"resource_type", "resource_id"})
    )
    return _Shape(
        objects=_getter(objects),
        plain=plain,
        texts=texts,
        names=tuple(names),
        others=tuple(others),
        has_address="ip_address" in fields,
        keys=keys_of_none,
        ascii="".join(keys_of_none).isascii(),
    )


def _shape_of(event: Mapping[Any, Any]) -> _Shape | None:
    if type(event) is not dict:
        return None
    keys = tuple(event)
    try:
        return _shapes[keys]
    except KeyError:
        if len(_shapes) >= _MAX_SHAPES:  # keys that are made up as the program runs
            _shapes.clear()
        shape = _shapes[keys] = _shape(keys)
        return shape


def _plain_fields(
    shape: _Shape, event: Mapping[str, Any], result: str, ordinary: bool
) -> dict[str, Any] | None:
    """Return the fields of an event in which nothing is missing, odd or too long; None of others.

    What :func:`draft` does value by value is asked here of all texts at once.
    """
    if not shape.plain:
        return None
    texts = shape.texts(event)
    if not _STRINGS.issuperset(map(type, texts)):
        if _UNSET.issuperset(map(type, texts)):  # an option that is unset
            given = {k: v for k, v in event.items() if v is not None or k not in FIELD_OF}
            reduced = _shape_of(given)
            return _plain_fields(reduced, given, result, ordinary) if reduced else None
        return None
    together = "".join(texts)
    if len(together) > MAX_IDENTIFIER or (not together.isascii() and not _is_short(together)):
        return None
    # One that is empty or begins with a space comes before "!"; what is not printable may hide.
    if min(texts) < "!" or values.REDACTED in together or not together.isprintable():
        return None
    if type(result) is not str or result not in RESULTS:
        return None
    fields: dict[str, Any] = {"actor_type": "user", "result": result, "v": 1}
    fields.update(zip(shape.names, texts))  # noqa: B905  # as long as each other, and 0.1 µs
    if fields["actor_id"] == OURSELVES:
        return None
    if "resource" in fields:
        kind, name = split(fields.pop("resource"))
        if not kind or not name:
            return None
        fields["resource_type"] = kind
        fields["resource_id"] = name
    if not together.isascii() and not all(shows(v) for v in fields.values() if type(v) is str):
        return None
    try:
        for key, name, rule in shape.others:
            value = event[key]
            if value is None:
                return None
            fields[name] = rule(value)
    except Exception:  # the careful way says what is wrong
        return None
    if not shape.has_address:
        if fields["actor_type"] not in ADDRESSLESS:
            return None
        fields["ip_address"] = None
    rest = tuple(map(event.__getitem__, shape.keys))
    context = dict(zip(shape.keys, rest))  # noqa: B905
    plain = shape.ascii and values.PLAIN.issuperset(map(type, rest))
    fields["context"] = context if plain else Fragment(values.encode(context, ordinary=ordinary))
    return fields


def _is_short(text: str) -> bool:
    """Whether text that is not ASCII fits an identifier, and has no lone surrogate."""
    return len(text) * 4 <= MAX_IDENTIFIER and values.clean(text) == text


_MAX_SHAPES: Final = 1000
_shapes: dict[tuple[Any, ...], _Shape | None] = {}
