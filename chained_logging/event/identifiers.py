"""From what code has at hand, such as a user object, to the text that names it.

An identifier is permanent and is searched for, so it is taken from what an object is known by
(``pk``, ``id``, ``user_id`` …), never from its ``repr``: that holds a memory address, an e-mail
address or a password hash. An object without an identifier is refused. ``docs/values.md``
has the rule.
"""

from __future__ import annotations

import datetime as dt
import enum
import numbers
import pathlib
import re
import types
import uuid
from collections import UserString
from collections.abc import Mapping, Set
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

from chained_logging.event.models import is_model, model_key
from chained_logging.event.proxies import unwrapped
from chained_logging.event.values import (
    class_name,
    clean,
    is_mock,
    is_secret,
    jsonable,
    writes_itself,
)

MAX_IDENTIFIER: Final = 1024
"""Bytes in an identifier: so that every database can index it."""

ANONYMOUS: Final = "anonymous"
"""The ``actor_id`` where nobody is signed in."""

_NAMES: Final = ("pk", "id", "user_id", "identity", "username")
_KEYS: Final = frozenset({"pk", "id"})
_TEXTS: Final = (
    *(
        str,
        numbers.Integral,
        UserString,
        uuid.UUID,
        Decimal,
        Fraction,
        pathlib.PurePath,
        dt.date,
        dt.time,
    ),
    *(IPv4Address, IPv6Address, IPv4Network, IPv6Network),
)
_NO_NAMES: Final = (
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType),
    *(BaseException, Mapping, Set, list, bytes, bytearray, memoryview, float, complex, bool),
)
_AS_GIVEN: Final = (
    *(str, int, float, bytes, list, tuple, dict, set, frozenset, type(None), numbers.Number),
    *(dt.date, dt.time, dt.timedelta),
)
# What a __str__ gives that is no more than a repr: <User 7>, User(id=7), an address in memory.
_REPR: Final = re.compile(r"<.*>|[A-Za-z_][\w.]*\(.*\)|.*\b0x[0-9A-Fa-f]{6,}.*", re.DOTALL)


def identifier(value: Any) -> str:
    """Return the text that names `value`.

    :raises ValueError: if nothing does, or if it was not saved yet.
    """
    value = unwrapped(value)
    text = _scalar(value)
    if text is not None:
        return text
    kind = type(value)
    if is_model(kind):
        key = model_key(value)
        if key is None:
            raise ValueError("has no primary key yet")
        return ",".join(identifier(part) for part in key)
    if not _is_nameless(kind):
        if _member(value, "is_authenticated") is False:
            return ANONYMOUS
        text = _known_by(value)
        if text is not None:
            return text
    raise ValueError("is not an identifier")


def person_name(value: Any, id: str) -> str | None:
    """Return the user name of an object that represents a person, if it adds something to `id`.

    An e-mail address does not count as a name: it would stay in the log forever, so callers who
    want it there must pass it explicitly.
    """
    value = unwrapped(value)
    name = vars(value).get("username") if is_model(type(value)) else _member(value, "username")
    if not isinstance(name, str) or not name or "@" in name or name == id:
        return None
    return clean(name)


def text(value: Any) -> str:
    """Return a value's text, such as that of a lazy translation.

    :raises ValueError: if the value has no text form.
    """
    value = unwrapped(value)
    found = _scalar(value)
    if found is None and not _is_nameless(type(value)):
        found = _written(value)
    if found is None:
        raise ValueError("is not text")
    return found


def as_given(value: Any) -> Any:
    """Return what an entry may keep of a value that is not an identifier, such as its class."""
    kind = type(value)
    if issubclass(kind, _AS_GIVEN) and not hasattr(kind, "_fields"):
        return value
    return {"type": class_name(kind)}


def cut(text: str, limit: int = MAX_IDENTIFIER) -> str:
    """Return text of at most `limit` bytes: of a longer one the beginning and its SHA-256."""
    if len(text) * 4 <= limit:
        return text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    mark = f"… sha256:{sha256(data).hexdigest()} ({len(data)} bytes)"
    return data[: limit - len(mark.encode())].decode("utf-8", "ignore") + mark


def _is_nameless(kind: type) -> bool:
    """Whether no object of this class is known by a name; those of NumPy that are went before."""
    return issubclass(kind, _NO_NAMES) or is_secret(kind) or hasattr(kind, "dtype")


def _known_by(value: Any) -> str | None:
    for name in _NAMES:
        member = _member(value, name)
        if member is None:
            if name in _KEYS and _has(value, name):
                raise ValueError("has no primary key yet")
            continue
        if name == "username" and "@" in str(member):
            continue
        found = _scalar(member)
        if found is None and not _is_nameless(type(member)):
            found = _written(member)  # bson's ObjectId
        if found:
            return found
    return _written(value)


def _scalar(value: Any) -> str | None:
    """Return the text of a value that is one thing, or None for an object."""
    if type(value) is str:
        return clean(value)
    if isinstance(value, enum.Enum):
        return _scalar(value.value)
    kind = type(value)
    if kind is bool:
        return None
    if issubclass(kind, _TEXTS) and not is_secret(kind):
        found = jsonable(value)
        return str(found) if isinstance(found, str | int) else None
    if issubclass(kind, bytes):
        try:
            decoded = value.decode()
        except UnicodeDecodeError:
            return None
        return decoded if decoded.isprintable() else None
    return None


def _written(value: Any) -> str | None:
    """Return what an object's own ``__str__`` gives, if that is an identifier.

    One that was inherited from somebody else's class, such as pydantic's, shows all fields.
    """
    kind = type(value)
    if not writes_itself(kind) or is_secret(kind) or is_mock(kind):
        return None
    author = next(base for base in kind.__mro__ if "__str__" in vars(base))
    if author is not kind and _package(author) != _package(kind):
        return None
    written = clean(str(value))
    if not written or "@" in written or _REPR.fullmatch(written):
        return None
    return written


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _member(value: Any, name: str) -> Any:
    if is_mock(type(value)):  # it has every attribute
        return vars(value).get(name)
    try:
        return getattr(value, name, None)
    except Exception:  # Starlette's BaseUser.identity
        return None


def _has(value: Any, name: str) -> bool:
    return name in vars(value) if is_mock(type(value)) else hasattr(value, name)
