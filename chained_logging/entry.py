"""From an event, as code logs it, to an entry: the fields, their rules, their marks.

The rules are those of ``docs/format.md``. An event is never dropped for being
imperfect: what is missing or not valid is stored as ``unknown``, and the entry
says so under ``context.invalid``. With ``strict`` it is refused instead, with
every fault named at once.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson
from orjson import Fragment

from chained_logging import chain, values
from chained_logging.chain import quote

ACTOR_TYPES: Final = frozenset({"user", "service", "admin", "system"})
RESULTS: Final = frozenset({"success", "failure", "denied"})
UNKNOWN: Final = "unknown"
OURSELVES: Final = "chained_logging"
"""The ``actor_id`` of what the log says of itself."""
MAX_IDENTIFIER: Final = 1024
"""Bytes in an identifier: so that every database can index it."""


class InvalidEntry(ValueError):
    """An event that a strict log refused, before anything was written.

    :ivar problems: what is wrong, by field: ``{"ip_address": "is not an IPv4 or IPv6 address"}``.
        The values themselves are left out: an error message is no place for them.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{field} {reason}" for field, reason in problems.items()))

    def __reduce__(self) -> tuple[type[InvalidEntry], tuple[dict[str, str]]]:
        return InvalidEntry, (self.problems,)


class AuditId(str):
    """The ``id`` of an entry, as it is put into the ordinary log line.

    Being a type of its own it also tells that an event has been recorded
    already, which no caller's string in the same place can.
    """

    __slots__ = ()


class Draft:
    """An entry that only lacks its place in the chain.

    :ivar fields: each value as ``orjson`` writes it canonically: a plain string, None, or a
        ``Fragment`` that holds canonical JSON already. A ``context`` may also be what
        :func:`chained_logging.values.encode` leaves to ``orjson``.
    """

    __slots__ = ("fields", "id", "incomplete")

    def __init__(self, id: str, fields: dict[str, Any], incomplete: bool) -> None:
        self.id = id
        self.fields = fields
        self.incomplete = incomplete

    def body(self, seq: int, prev_hash: str) -> bytes:
        """Return the canonical body at this place of the chain."""
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
        if len(body) > chain.MAX_BODY:
            self.fields = _shrink(fields, len(body) - _ROOM)
            return self.body(seq, prev_hash)
        return body

    @classmethod
    def from_body(cls, body: bytes) -> Draft:
        """Return the draft that had this body at any place.

        :raises ValueError: if no draft could have had it.
        """
        try:
            fields = _parse(body.decode())
            place = fields["seq"], fields["prev_hash"]
            incomplete = "invalid" in fields["context"]
            for name in ("context", "old_values", "changed_fields"):
                if name in fields:
                    fields[name] = Fragment(chain.canonical_text(fields[name]))
            draft = cls(fields["id"], fields, incomplete)
            if draft.body(*place) == body:
                return draft
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not the body of an entry: {error}") from None
        raise ValueError("not the body of an entry: it is not canonical")


# A body has at most this after its shrinking, whatever its place: digests are as long as the
# largest `seq` and the longest `prev_hash` leave room for.
_ROOM: Final = chain.MAX_BODY - len(f"{2**63}{'0' * 64}")


def draft(
    event: Mapping[str, Any],
    *,
    action: object = None,
    result: str = "success",
    strict: bool = False,
    own: bool = False,
    redact: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
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
    :raises InvalidEntry: with `strict`, if a field is missing or not valid.
    """
    if redact is not None:
        if action is not None and event.get("action") is None:
            event = {**event, "action": action}
        event = _redacted(event, redact)
        action = None
    now = time.time_ns()
    id = uuid7(now)
    plain = None if own else _plain_fields(event, action, result)
    if plain is not None:
        plain["id"] = id
        plain["timestamp"] = timestamp(now)
        return Draft(id, plain, False)
    given: dict[str, Any] = {
        "action": action,
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
        elif value is None:
            pass
        elif name == "resource":
            _resource(given, value)
        elif name:
            given[name] = value
    if "context" in event:
        _merge_context(context, event["context"])

    fields: dict[str, Any] = {"id": id, "v": 1}
    problems: dict[str, str] = {}
    for name, value in given.items():
        # The short way: ordinary text of a size where bytes cannot matter. 60 ns less a field.
        if (
            type(value) is str
            and name in _IDENTIFIERS
            and 0 < len(value) <= MAX_IDENTIFIER
            and value.isascii()
            and "\0" not in value
        ):
            fields[name] = value
            continue
        try:
            fields[name] = _RULES[name](value)
        except ValueError as problem:
            problems[name] = str(problem)
        except Exception:  # a value whose own methods fail is no reason to break the caller
            problems[name] = "cannot be read"
    if fields.get("ip_address", "") is None and fields.get("actor_type") not in _ADDRESSLESS:
        problems["ip_address"] = "is missing"
    if fields.get("actor_id") == OURSELVES and not own:
        problems["actor_id"] = "is the name of the log itself"
    if "timestamp" not in fields:
        fields["timestamp"] = timestamp(now)
    if not _STRINGS.issuperset(map(type, context)):  # a key may be "invalid" in disguise
        context = values.jsonable(context)
    if "invalid" in context or "oversize" in context:
        context = {_free_name(key, context): value for key, value in context.items()}
    if problems:
        if strict:
            raise InvalidEntry(problems)
        for name in problems:
            if name in _REQUIRED:
                fields[name] = UNKNOWN
        context["invalid"] = {name: given[name] for name in problems}
    fields["context"] = Fragment(values.encode(context))
    return Draft(id, fields, bool(problems))


_STRINGS: Final = frozenset({str})


def _redacted(
    event: Mapping[str, Any], redact: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Mapping[str, Any]:
    try:
        return redact(event)
    except Exception as error:  # a caller's own: the event is kept, and nothing that was not seen
        kept = {key: "[redacted]" for key in event if FIELD_OF.get(key, "") in _REQUIRED}
        return {**kept, "redaction_failed": values.type_name(error)}


def parse_event(line: bytes) -> dict[str, Any]:
    """Return the event that a line of JSON is.

    :raises ValueError: if it is none.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"is not JSON: {problem}") from None
    if not isinstance(event, dict):
        raise ValueError("is not a JSON object")
    return event


# --- The short way, which most events take: 3 µs of the 6 that the careful way needs.


class _Shape(NamedTuple):
    """Where an event's values go, which its keys alone say: worked out once a line of code."""

    texts: Callable[[Any], tuple[Any, ...]]
    """Takes the values of fields that are ordinary text out of an event."""
    names: tuple[str, ...]
    """The names of these fields, and ``action`` after them where the event has none."""
    others: tuple[tuple[str, str, Callable[[Any], Any]], ...]
    """Of each other field the event's key, its name and its rule."""
    context: tuple[str, ...]
    """Its keys of no field."""
    ascii: bool
    """Whether these are ASCII, so that `orjson` sorts them as RFC 8785 asks."""


def _shape(keys: tuple[Any, ...]) -> _Shape | None:
    """Return the shape of events with these keys, or None if they are for the careful way."""
    if not _STRINGS.issuperset(map(type, keys)) or "context" in keys:
        return None
    fields = {FIELD_OF[key]: key for key in keys if FIELD_OF.get(key)}
    context = tuple(key for key in keys if key not in FIELD_OF)
    twice = len(fields) + len(context) < sum(FIELD_OF.get(key) != "" for key in keys)
    parts = {"resource", "resource_type", "resource_id"} & fields.keys()
    if twice or "timestamp" in fields or "invalid" in context or "oversize" in context:
        return None
    if "actor_id" not in fields or parts not in ({"resource"}, {"resource_type", "resource_id"}):
        return None
    names = [name for name in fields if name in _TEXTS]
    others = [(key, name, _RULES[name]) for name, key in fields.items() if name not in _TEXTS]
    texts = itemgetter(*[fields[name] for name in names])
    if "action" not in fields:
        names.append("action")
    return _Shape(texts, tuple(names), tuple(others), context, "".join(context).isascii())


def _plain_fields(event: Mapping[str, Any], action: Any, result: str) -> dict[str, Any] | None:
    """Return the fields of an event in which nothing is missing, odd or too long; None of others.

    What :func:`draft` does value by value is asked here of all texts at once.
    """
    if type(event) is not dict:
        return None
    keys = tuple(event)
    try:
        shape = _shapes[keys]
    except KeyError:
        if len(_shapes) >= _MAX_SHAPES:  # keys that are made up as the program runs
            _shapes.clear()
        shape = _shapes[keys] = _shape(keys)
    if shape is None:
        return None
    texts = shape.texts(event)
    if len(texts) < len(shape.names):
        texts = (*texts, action)
    if "" in texts or not _STRINGS.issuperset(map(type, texts)):
        return None
    together = "".join(texts)
    if len(together) > MAX_IDENTIFIER or not together.isascii() or "\0" in together:
        return None
    if type(result) is not str or result not in RESULTS:
        return None
    fields: dict[str, Any] = dict(zip(shape.names, texts, strict=True))
    if fields["actor_id"] == OURSELVES:
        return None
    if "resource" in fields:
        kind, _, name = fields.pop("resource").partition("/")
        if not kind or not name:
            return None
        fields["resource_type"] = kind
        fields["resource_id"] = name
    fields["actor_type"] = "user"
    fields["result"] = result
    fields["v"] = 1
    try:
        for key, name, rule in shape.others:
            value = event[key]
            if value is None:
                return None
            fields[name] = rule(value)
    except Exception:  # the careful way says what is wrong
        return None
    if "ip_address" not in fields:
        if fields["actor_type"] not in _ADDRESSLESS:
            return None
        fields["ip_address"] = None
    context = {key: event[key] for key in shape.context}
    plain = shape.ascii and values.PLAIN.issuperset(map(type, context.values()))
    fields["context"] = context if plain else Fragment(values.encode(context))
    return fields


_MAX_SHAPES: Final = 1000
_shapes: dict[tuple[Any, ...], _Shape | None] = {}


# --- The rules: each takes a value as given and returns what Draft.fields holds, or raises
# ValueError.


def _text(value: Any) -> str:
    """Return a value that names something as a string."""
    if type(value) is not str:
        if value is None:
            raise ValueError("is missing")
        if isinstance(value, bool):
            raise ValueError("is not text")
        value = values.jsonable(value)
        if isinstance(value, int):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError("is not text")
    text: str = values.clean(value)
    if "\0" in text:
        raise ValueError("holds U+0000")
    return text


def _identifier(value: Any) -> str:
    text = _text(value)
    if not text:
        raise ValueError("is empty")
    if len(text.encode()) > MAX_IDENTIFIER:
        raise ValueError("is longer than 1,024 bytes")
    return text


def _one_of(choices: frozenset[str]) -> Callable[[Any], str]:
    names = ", ".join(sorted(choices))
    allowed = {name: name for name in choices}

    def rule(value: Any) -> str:
        if type(value) is not str:
            value = values.jsonable(value)  # an Enum's value
        try:
            return allowed[value]
        except (KeyError, TypeError):
            raise ValueError(f"is not one of {names}") from None

    return rule


def _address(value: Any) -> str | None:
    if value is None:
        return None
    return _address_text(value if type(value) is str else str(value))


@lru_cache(maxsize=4096)  # parsing takes 2 µs, and the same addresses come again and again
def _address_text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    try:
        address = ip_address(value)
    except ValueError:
        raise ValueError("is not an IPv4 or IPv6 address") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError("has a zone, which no database keeps")
        address = address.ipv4_mapped or address
    return str(address)


def _time(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is not an RFC 3339 time") from None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = dt.datetime.fromtimestamp(value, dt.UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("is not a Unix time") from None
    if not isinstance(value, dt.datetime):
        raise ValueError("is not a time")
    if value.utcoffset() is None:
        raise ValueError("has no zone")
    try:
        return values.timestamp_text(value)
    except (ValueError, OverflowError):
        raise ValueError("is out of range") from None


def _names(value: Any) -> Fragment:
    if isinstance(value, str | bytes):
        raise ValueError("is not a list of names")
    names = values.jsonable(value)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("is not a list of names")
    if any("\0" in name for name in names):
        raise ValueError("holds U+0000")
    return Fragment(chain.canonical_text(names))


def _object(value: Any) -> Fragment:
    text = values.encode(value)
    if not text.startswith("{"):
        raise ValueError("is not an object")
    return Fragment(text)


_RULES: Final[dict[str, Callable[[Any], str | Fragment | None]]] = {
    "action": _identifier,
    "actor_id": _identifier,
    "actor_type": _one_of(ACTOR_TYPES),
    "resource_type": _identifier,
    "resource_id": _identifier,
    "result": _one_of(RESULTS),
    "ip_address": _address,
    "timestamp": _time,
    "user_agent": _text,
    "session_id": _identifier,
    "changed_fields": _names,
    "old_values": _object,
    "reason": _text,
}
_REQUIRED: Final = frozenset(
    {"action", "actor_id", "actor_type", "resource_type", "resource_id", "result", "ip_address"}
)
_IDENTIFIERS: Final = frozenset(name for name, rule in _RULES.items() if rule is _identifier)
_TEXTS: Final = _IDENTIFIERS | {"resource", "user_agent", "reason"}
_ADDRESSLESS: Final = frozenset({"service", "system"})


def _resource(given: dict[str, Any], value: Any) -> None:
    """Take ``"patient_record/456"`` or ``("patient_record", "456")``."""
    if isinstance(value, str):
        kind, slash, name = value.partition("/")
        given["resource_type"] = kind
        given["resource_id"] = name if slash else None
    elif isinstance(value, tuple | list) and len(value) == 2:
        given["resource_type"], given["resource_id"] = value
    else:  # neither: the rules refuse it, and it is kept under context.invalid as given
        given["resource_type"], given["resource_id"] = [value], None


# Where an event's key goes. Under "" is what is not kept under its own name: `context`, which is
# merged, and what a capture puts into an event for its own use.
FIELD_OF: Final[Mapping[Any, str]] = {
    **{name: name for name in _RULES},
    "actor": "actor_id",
    "user_id": "actor_id",
    "ip": "ip_address",
    "resource": "resource",
    **dict.fromkeys(("audit", "audit_id", "context", "event", "exc_info", "stack_info"), ""),
    **dict.fromkeys(("_record", "_from_structlog"), ""),
}


def _merge_context(context: dict[str, Any], given: Any) -> None:
    """Take what a caller passed as ``context=``: more keys, or a value of that name."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            context.setdefault(key, value)
    elif given is not None:
        context["context"] = given


def _free_name(key: Any, taken: Mapping[Any, Any]) -> Any:
    """Move a caller's key out of the way of the log's own two."""
    if key in ("invalid", "oversize"):
        while (key := f"_{key}") in taken:
            pass
    return key


# --- Too large.


def _bytes(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


def _digest(text: str) -> str:
    data = text.encode()
    return f'"sha256:{sha256(data).hexdigest()} ({len(data)} bytes)"'


def _shrink(fields: Mapping[str, Any], excess: int) -> dict[str, Any]:
    """Put digests in the place of the largest values until `excess` bytes are gone, and say where.

    If that is not enough (a hundred thousand small values), the digest of the
    whole object stands in it under the name ``all``.
    """
    text = {
        name: orjson.dumps(value, None, values.ORJSON).decode()
        for name, value in fields.items()
        if name in ("context", "old_values", "changed_fields", "reason", "user_agent")
    }
    parsed = {name: _parse(text[name]) for name in ("context", "old_values") if name in text}
    objects = {"/context": parsed["context"]}
    if "invalid" in parsed["context"]:
        objects["/context/invalid"] = parsed["context"].pop("invalid")
    invalid = dict(objects.get("/context/invalid", {}))
    if "old_values" in parsed:
        objects["/old_values"] = parsed["old_values"]
    singles: dict[str, str] = {
        name: text[name] for name in ("changed_fields", "reason", "user_agent") if name in text
    }
    # Each place that can give: the object's pointer, the key in it, its text.
    places = [("", name, item) for name, item in singles.items()]
    for parent, object in objects.items():
        places += [(parent, key, chain.canonical_text(item)) for key, item in object.items()]
    places = [place for place in places if len(place[2]) > 100]  # a digest has up to 90
    places.sort(key=lambda place: -_bytes(place[2]))

    pointers: list[str] = []
    excess += len(',"oversize":[]')
    for parent, key, item in places:
        if excess <= 0:
            break
        digest = _digest(item)
        if parent:
            objects[parent][key] = json.loads(digest)
        else:
            singles[key] = f"[{digest}]" if key == "changed_fields" else digest
        pointer = f"{parent}/{_pointer(key)}" + (
            "/0" if not parent and key == "changed_fields" else ""
        )
        pointers.append(pointer)
        excess -= _bytes(item) - _bytes(digest) - _bytes(quote(pointer)) - 3
    if excess > 0:
        for parent in ("/context", "/old_values"):
            if parent in objects:
                pointers = [p for p in pointers if not p.startswith(f"{parent}/")]
                digest = _digest(text[parent[1:]])
                objects[parent] = {"all": json.loads(digest)}
                pointers.append(f"{parent}/all")
        for field, value in invalid.items():
            digest = _digest(chain.canonical_text(value))
            objects["/context/invalid"][field] = json.loads(digest)
            pointers.append(f"/context/invalid/{field}")

    context = objects["/context"] | {"oversize": sorted(pointers)}
    if "/context/invalid" in objects:
        context["invalid"] = objects["/context/invalid"]
    shrunk = {**singles, "context": chain.canonical_text(context)}
    if "/old_values" in objects:
        shrunk["old_values"] = chain.canonical_text(objects["/old_values"])
    return dict(fields) | {name: Fragment(value) for name, value in shrunk.items()}


def _parse(text: str) -> dict[str, Any]:
    """Read canonical JSON back: an integer beyond 2**53 in it was a float, such as 1e16."""

    def integer(digits: str) -> int | float:
        value = int(digits)
        return value if abs(value) <= chain.MAX_SAFE_INTEGER else float(digits)

    parsed: dict[str, Any] = json.loads(text, parse_int=integer)
    return parsed


def _pointer(key: str) -> str:
    """Escape a key for a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


# --- Time and identity.


def uuid7(now: int) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) for a time in nanoseconds since 1970.

    All its other 74 bits are random, from the kernel. They are fetched for 16 at
    a time (for 256 it took 90 µs, which one call in 256 had to wait for), and
    thrown away by a forked child, which would repeat its parent's.
    """
    global _milli, _random_owner
    if _random_owner != os.getpid():  # 60 ns; C code that forks may call no hook
        _random.clear()
        _random_owner = os.getpid()
    ms = now // 1_000_000
    cached, text = _milli
    if cached != ms:
        digits = f"{ms:012x}"
        text = f"{digits[:8]}-{digits[8:]}-"
        _milli = (ms, text)
    try:
        return text + _random.pop()
    except IndexError:
        _random.extend(_random_parts(bytearray(os.urandom(10 * 16))))
        return text + _random.pop()


def _random_parts(data: bytearray) -> list[str]:
    """Return the third to fifth part of as many UUIDs as there are ten bytes, version 7."""
    data[0::10] = data[0::10].translate(_VERSION)
    data[2::10] = data[2::10].translate(_VARIANT)
    digits = data.hex()
    return [
        f"{digits[i : i + 4]}-{digits[i + 4 : i + 8]}-{digits[i + 8 : i + 20]}"
        for i in range(0, len(digits), 20)
    ]


_VERSION = bytes(byte & 0x0F | 0x70 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))
_milli: tuple[int, str] = (-1, "")
_random: list[str] = []
_random_owner = os.getpid()

_second: tuple[int, str] = (-1, "")


def timestamp(now: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC, with microseconds."""
    global _second
    second, nanos = divmod(now, 1_000_000_000)
    cached, text = _second  # strftime takes 1 µs and changes once a second
    if cached != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    return f"{text}.{nanos // 1000:06d}Z"


# --- Reading.


class AuditEntry:
    """One entry, as stored or, with ``seq`` None, as it waits to be stored.

    Fields are attributes (``entry.actor_id``, None where an optional one is
    absent) and, as plain JSON values, ``entry.fields``.
    """

    __slots__ = ("_fields", "body", "hash", "signature")

    def __init__(self, body: bytes, hash: str | None, signature: str | None = None) -> None:
        self.body = body
        self.hash = hash
        self.signature = signature
        self._fields: dict[str, Any] | None = None

    @classmethod
    def from_line(cls, line: bytes) -> AuditEntry:
        """Read a stored line, without its line feed.

        :raises ValueError: if it has not the form of one. Its hash is not
            checked here; :mod:`chained_logging.verify` does that.
        """
        return cls(*chain.split_line(line))

    @property
    def fields(self) -> dict[str, Any]:
        """The body as parsed JSON."""
        if self._fields is None:
            self._fields = json.loads(self.body)
            if self.hash is None:  # it has no place in the chain yet
                del self._fields["seq"], self._fields["prev_hash"]
        return self._fields

    @property
    def line(self) -> bytes:
        """The stored line, without its line feed; the bare body while it waits."""
        return chain.stored_line(self.body, self.hash, self.signature) if self.hash else self.body

    @property
    def incomplete(self) -> bool:
        """Whether a field was missing or not valid: ``context.invalid`` says which."""
        return "invalid" in self.context

    def __getattr__(self, name: str) -> Any:
        if name in _ENTRY_FIELDS:
            return self.fields.get(name)
        raise AttributeError(f"an audit entry has no field {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuditEntry) and self.line == other.line

    def __hash__(self) -> int:
        return hash(self.body)

    def __repr__(self) -> str:
        return f"<AuditEntry {self.seq} {self.action!r} {self.id}>"


_ENTRY_FIELDS = frozenset({*_RULES, "context", "id", "prev_hash", "seq", "v"})
