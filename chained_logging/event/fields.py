"""The fields of an entry, each with its rule. Every way in uses this one table.

A rule takes a value as given and returns what the body holds, or raises ValueError with what is
wrong. Its `prepare` comes before redaction and makes of a program's own object, such as a user,
what can be judged and stored.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from orjson import Fragment

from chained_logging.event import addresses, identifiers, records, values
from chained_logging.event.identifiers import MAX_IDENTIFIER
from chained_logging.event.models import is_model, model_columns
from chained_logging.event.proxies import unwrapped
from chained_logging.event.resources import resource

ACTOR_TYPES: Final = frozenset({"user", "service", "admin", "system"})
RESULTS: Final = frozenset({"success", "failure", "denied"})
UNKNOWN: Final = "unknown"
OURSELVES: Final = "chained_logging"
"""The ``actor_id`` of what the log says of itself."""
ADDRESSLESS: Final = frozenset({"service", "system"})
"""The actor types that need no address."""


class Field(NamedTuple):
    """What an entry may have under a name.

    :ivar rule: takes a value other than None.
    :ivar prepare: takes a value that is not a ``str``; what it raises leaves the value as it is.
    :ivar text: whether ASCII text of 1 to 1,024 characters without U+0000 is valid as it is.
    :ivar required: whether an entry without it is incomplete.
    :ivar aliases: other names that callers give it.
    """

    rule: Callable[[Any], str | Fragment | list[records.Record] | None]
    prepare: Callable[[Any], Any] | None = None
    text: bool = False
    required: bool = False
    aliases: tuple[str, ...] = ()


def _text(value: Any) -> str:
    """Return a value that says something as a string."""
    if type(value) is not str:
        if value is None:
            raise ValueError("is missing")
        value = identifiers.text(value)
    text: str = values.clean(value)
    if "\0" in text:
        raise ValueError("holds U+0000")
    return text


def _identifier(value: Any) -> str:
    text = _text(value)
    if not text:
        raise ValueError("is empty")
    if not shows(text):
        raise ValueError("holds nothing that can be seen")
    if text == values.REDACTED:
        raise ValueError("was redacted")
    if len(text.encode()) > MAX_IDENTIFIER:
        raise ValueError("is longer than 1,024 bytes")
    return text


# Letters and symbols that are drawn as nothing: fillers of Hangul, the blank of Braille.
_DRAWN_AS_NOTHING: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def shows(text: str) -> bool:
    """Whether a text has a letter, a digit, a sign or a symbol: anything that a person can see."""
    return any(
        unicodedata.category(char)[0] in "LNPS" and char not in _DRAWN_AS_NOTHING for char in text
    )


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


@lru_cache(maxsize=4096)  # the same addresses come again and again
def _address(value: Any) -> str | None:
    if value is None:
        return None
    text = value if type(value) is str else addresses.address_text(value)
    if not text:
        raise ValueError("is empty")
    address = addresses.parse(text)
    if address is None:
        raise ValueError("is not an IPv4 or IPv6 address")
    return str(address)


_STRINGS: Final = frozenset({str})
_UTC_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?Z"
)


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an RFC 3339 time") from None


_second = lru_cache(maxsize=16)(_moment)  # many events are of one second


def _time(value: Any) -> str:
    if isinstance(value, str):
        utc = _UTC_TIME.fullmatch(value)
        if utc is not None:
            _second(utc[1])
            micros = utc[2] or ""
            return utc[0] if len(micros) == 6 else f"{utc[1]}.{micros:0<6}Z"
        value = _moment(value)
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
    names = value
    if type(value) is not list or not _STRINGS.issuperset(map(type, value)):
        names = values.jsonable(value)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("is not a list of names")
    if any("\0" in name for name in names):
        raise ValueError("holds U+0000")
    return Fragment(values.encode(names))


_TRACE_ID: Final = re.compile("(?!0{32})[0-9a-f]{32}")


def _trace_id(value: Any) -> str:
    """Return a trace id of W3C Trace Context (section 3.2.2.3)."""
    if not isinstance(value, str) or not _TRACE_ID.fullmatch(value):
        raise ValueError("is not a W3C trace id: 32 lower-case hexadecimal digits, not all 0")
    return str(value)


def _object(value: Any) -> Fragment:
    text = values.encode(value)
    if not text.startswith("{"):
        raise ValueError("is not an object")
    return Fragment(text)


def _columns(value: Any) -> Any:
    """Return what a row held, not which row it is."""
    value = unwrapped(value)
    return model_columns(value) if is_model(type(value)) else value


def _no_rule(value: Any) -> str:
    raise ValueError("is two fields")


FIELDS: Final[dict[str, Field]] = {
    "action": Field(_identifier, identifiers.identifier, text=True, required=True),
    "actor_id": Field(
        *(_identifier, identifiers.identifier),
        text=True,
        required=True,
        aliases=("actor", "user_id"),
    ),
    "actor_type": Field(_one_of(ACTOR_TYPES), required=True),
    "resource_type": Field(_identifier, identifiers.identifier, text=True, required=True),
    "resource_id": Field(_identifier, identifiers.identifier, text=True, required=True),
    "result": Field(_one_of(RESULTS), required=True),
    "ip_address": Field(_address, addresses.address_text, required=True, aliases=("ip",)),
    "timestamp": Field(_time),
    "user_agent": Field(_text, identifiers.text, text=True),
    "session_id": Field(_identifier, identifiers.identifier, text=True),
    "changed_fields": Field(_names),
    "old_values": Field(_object, _columns),
    "reason": Field(_text, identifiers.text, text=True),
    "on_behalf_of": Field(_identifier, identifiers.identifier, text=True),
    "resources": Field(records.rule(_identifier), records.pairs),
    "tenant_id": Field(_identifier, identifiers.identifier, text=True, aliases=("tenant",)),
    "trace_id": Field(_trace_id),
}
RESOURCE: Final = Field(_no_rule, lambda value: tuple(resource(value)), text=True)
"""``resource=``, which is ``resource_type`` and ``resource_id`` in one."""

REQUIRED: Final = frozenset(name for name, field in FIELDS.items() if field.required)
TEXTS: Final = frozenset(name for name, field in FIELDS.items() if field.text) | {"resource"}
MARKS: Final = ("invalid", "oversize", records.PART)
"""The keys of the context that are the log's own."""
IDENTIFIERS: Final = frozenset(n for n, field in FIELDS.items() if field.rule is _identifier)

# Where an event's key goes. Under "" is what is not kept under its own name: `context`, which is
# merged, and what a capture puts into an event for its own use.
FIELD_OF: Final[Mapping[Any, str]] = {
    **{name: name for name in FIELDS},
    **{alias: name for name, field in FIELDS.items() for alias in field.aliases},
    "resource": "resource",
    **dict.fromkeys(("audit", "audit_id", "context", "event", "exc_info", "stack_info"), ""),
    **dict.fromkeys(("_record", "_from_structlog"), ""),
}


_CAPTURED: Final = frozenset(key for key, name in FIELD_OF.items() if not name) - {"context"}


def set_apart(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event that no capture made, with all its keys as the caller's own.

    What captures put into an event for their own use, such as ``event``, goes to its context.
    """
    if _CAPTURED.isdisjoint(event):
        return event
    own = {key: event[key] for key in event if key in _CAPTURED}
    if own.get("audit") is True:  # the tag, which says nothing here
        del own["audit"]
    context = event.get("context")
    if isinstance(context, Mapping):
        own.update(context)
    elif context is not None:
        own["context"] = context
    plain = {key: event[key] for key in event if key not in _CAPTURED}
    return {**plain, "context": own} if own else plain


def prepared(event: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return an event whose fields hold no objects of the program any more.

    An actor object's user name goes beside its identifier, as ``actor_name`` in the context.
    """
    result = dict(event)
    for key, value in event.items():
        name = FIELD_OF.get(key)
        if not name or value is None or type(value) is str:
            continue
        field = FIELDS.get(name, RESOURCE)
        if field.prepare is None:
            continue
        try:
            result[key] = field.prepare(value)
            if name == "actor_id":
                _name_person(result, value, result[key])
        except Exception:  # the rule refuses it, and it is kept under context.invalid
            result[key] = identifiers.as_given(value)
    return result


def _name_person(event: dict[Any, Any], actor: Any, id: str) -> None:
    if type(actor) in (int, uuid.UUID) or "actor_name" in event:
        return
    given = event.get("context")
    if isinstance(given, Mapping) and "actor_name" in given:
        return
    name = identifiers.person_name(actor, id)
    if name is not None:
        event["actor_name"] = name
