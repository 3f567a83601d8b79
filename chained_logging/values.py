"""What a value that JSON cannot carry becomes: one documented form each, and never an error.

The table is in ``docs/format.md``, "Values that JSON cannot carry".
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import json
import math
import numbers
import pathlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

import orjson

from chained_logging import chain

MAX_DEPTH: Final = 64
"""What is nested deeper than this is ``"<too deep>"``: databases parse JSON to some depth only."""

MAX_NODES: Final = 1_000_000
"""Values counted in one event; what comes after is ``"<too large>"``. A list that holds one list
many times over, many times over, would otherwise never end."""

_TEXT_TYPES = (
    uuid.UUID,
    Decimal,
    Fraction,
    pathlib.PurePath,
    IPv4Address,
    IPv6Address,
    IPv4Network,
    IPv6Network,
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Any) -> str:
    """Return any Python value as canonical JSON text. Never raises, and ends for any input."""
    # Most are a flat object of plain values, which orjson writes as RFC 8785 has it, in a
    # tenth of the time: strings, integers up to 2**53 and keys in ASCII, whose order is the same
    # by bytes and by UTF-16. Floats, nested values and all else go the careful way.
    if type(value) is dict and PLAIN.issuperset(map(type, value.values())):
        try:
            if "".join(value).isascii():
                return orjson.dumps(value, None, ORJSON).decode()
        except TypeError:  # a surrogate, a large integer, a key that is no string
            pass
    return chain.canonical_text(jsonable(value))


ORJSON: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
PLAIN: Final = frozenset({str, int, bool, type(None)})


def jsonable(value: Any) -> Any:
    """Return `value` made of JSON's types alone. Never raises, and ends for any input."""
    return _Walk().convert(value, 0)


def timestamp_text(moment: dt.datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC with microseconds and ``Z``."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)


def clean(text: str) -> str:
    """Return a string with lone surrogates written out as their escapes (``\\udc80``)."""
    if type(text) is not str:  # a subclass, whose methods are not to be trusted
        text = str.__str__(text)
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


class _Walk:
    """One conversion: the containers it is inside of, and how many values it has seen."""

    def __init__(self) -> None:
        self.inside: set[int] = set()
        self.seen = 0

    def convert(self, value: Any, depth: int) -> Any:
        self.seen += 1
        if self.seen > MAX_NODES:
            return "<too large>"
        try:
            return self._convert(value, depth)
        except Exception:  # a __repr__, __str__, __iter__ … of the caller's that raises
            return _unprintable(value)

    def _convert(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return self.convert(value.value, depth)
        if isinstance(value, str):
            return clean(str.__str__(value))
        scalar = _scalar(value)
        if scalar is not None:
            return scalar
        if id(value) in self.inside:
            return "<cycle>"
        if depth >= MAX_DEPTH:
            return "<too deep>"
        self.inside.add(id(value))
        try:
            return self._container(value, depth + 1)
        finally:
            self.inside.discard(id(value))

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value.items(), depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return self._mapping(((f.name, getattr(value, f.name)) for f in fields), depth)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._mapping(zip(value._fields, value, strict=False), depth)
        if isinstance(value, Set):
            return sorted(self._items(value, depth), key=chain.canonical)
        if isinstance(value, Sequence) or type(value) in _VIEWS:
            return self._items(value, depth)
        return _repr(value)

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        items = []
        for item in values:
            items.append(self.convert(item, depth))
            if self.seen > MAX_NODES:  # it may never end
                break
        return items

    def _mapping(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        last: dict[str, int] = {}
        for key, item in items:
            name = plain = _key(key)
            while name in result:  # {1: …, "1": …}: neither is lost
                last[plain] = last.get(plain, 1) + 1
                name = f"{plain}#{last[plain]}"
            result[name] = self.convert(item, depth)
            if self.seen > MAX_NODES:
                break
        return result


_VIEWS: Final[tuple[type, ...]] = (type({}.values()), map, filter, zip)


def _scalar(value: Any) -> Any:
    """Return the JSON form of a value that is no container, or None if this is not one."""
    if isinstance(value, dt.datetime):
        return timestamp_text(value) if value.utcoffset() is not None else value.isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return _float(value.total_seconds())
    if isinstance(value, bytes | bytearray | memoryview):
        return "base64:" + base64.b64encode(bytes(value)).decode()
    if isinstance(value, _TEXT_TYPES):
        return clean(str(value))
    if isinstance(value, BaseException):
        return {"message": _message(value), "type": type_name(value)}
    if isinstance(value, numbers.Integral):
        return _integer(int(value))
    if isinstance(value, numbers.Real):
        return _float(float(value))
    return None


def _integer(value: int) -> int | str:
    if -chain.MAX_SAFE_INTEGER <= value <= chain.MAX_SAFE_INTEGER:
        return value
    try:
        return str(value)
    except ValueError:  # Python refuses to write more than 4,300 decimal digits
        return hex(value)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return clean(str.__str__(key))
    try:
        if key is None or isinstance(key, bool):
            return json.dumps(key)
        scalar = _scalar(key)
        if isinstance(scalar, str):
            return scalar
        return chain.canonical_text(scalar) if isinstance(scalar, int | float) else clean(str(key))
    except Exception:
        return _unprintable(key)


def type_name(value: BaseException) -> str:
    """Return an exception's type as people look it up: ``ValueError``, ``requests.Timeout``."""
    kind = type(value)
    name = kind.__qualname__
    return clean(name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}")


def _message(value: BaseException) -> str:
    try:
        return clean(str(value))
    except Exception:
        return _unprintable(value)


def _repr(value: Any) -> str:
    try:
        return clean(repr(value))
    except Exception:  # RecursionError among them: a repr 1,000 levels deep
        return _unprintable(value)


def _unprintable(value: Any) -> str:
    return f"<unprintable {clean(type(value).__name__)}>"
