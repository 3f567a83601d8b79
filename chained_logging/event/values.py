"""What a value that JSON cannot carry becomes: one documented form each, and never an error.

The table is in ``docs/format.md``, "Values that JSON cannot carry". A value is looked at by its
type alone, so that nothing is asked of an object that merely claims to be something. Nothing is
consumed, loaded or queried: an iterator keeps its items, a lazy object stays unread.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import enum
import functools
import io
import json
import math
import numbers
import pathlib
import re
import types
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import compress
from typing import Any, Final

import orjson

from chained_logging.event.models import is_model, model_columns, model_key, model_type
from chained_logging.event.proxies import is_proxy, is_unread, unwrapped
from chained_logging.format.canonical import MAX_SAFE_INTEGER, canonical, canonical_text

MAX_DEPTH: Final = 64
"""What is nested deeper than this is ``"<too deep>"``: databases parse JSON to some depth only."""

MAX_NODES: Final = 100_000
"""Values counted in one field, three times what a body can hold; what comes after is
``"<too large>"``. A list that holds one list many times over, many times over, would never end."""

MAX_BYTES: Final = 16 * 2**20
"""Bytes that are written out as base64; of more only their number is kept."""

REDACTED: Final = "[redacted]"
"""Replaces a secret."""

ORJSON: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
PLAIN: Final = frozenset({str, int, bool, type(None)})

_LEAVES: Final = PLAIN | {uuid.UUID, Decimal, dt.datetime, dt.date, dt.time}
_NESTED: Final = frozenset({dict, list, tuple})
_BRANCHES: Final = _NESTED | {float}
_NESTED_ORJSON: Final = ORJSON | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_is_nested: Final = _NESTED.__contains__
_MAX_FAST: Final = 20_000  # values
_ORJSON_DEPTH: Final = 256  # it refuses what is nested deeper
_SURROGATE = re.compile("[\ud800-\udfff]")
# Where an object is in memory: in a repr, and in that of a mock.
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+| id='\d+'")


def encode(value: Any, *, ordinary: bool = False) -> str:
    """Return any Python value as canonical JSON text. Never raises, and ends for any input.

    :param ordinary: whether :func:`is_ordinary` has said so of all that is in it.
    """
    if type(value) in _NESTED and (ordinary or is_ordinary(value)):
        try:
            text = orjson.dumps(value, jsonable, _NESTED_ORJSON).decode()
        except TypeError:  # a surrogate, a large integer, a key that is not a string
            pass
        else:
            # It sorts keys by code points, RFC 8785 by UTF-16: they differ only beyond U+D7FF.
            if text.isascii() or max(text) <= "\ud7ff":
                return text
    return canonical_text(jsonable(value))


def is_ordinary(value: Any) -> bool:
    """Whether `orjson` writes this as RFC 8785 asks, in a tenth of the time.

    It does for strings, integers up to 2**53, nested objects and arrays, and for floats that
    both write without an exponent. Keys are for `encode` to look at.
    """
    count = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        count += sum(map(len, level))
        if count > _MAX_FAST:
            return False
        below: list[Any] = []
        for container in level:
            members = container.values() if type(container) is dict else container
            kinds = set(map(type, members)) - _LEAVES
            if not kinds:  # nearly always
                continue
            if not kinds <= _BRANCHES:
                return False
            if float in kinds and not all(map(_is_ordinary_float, members)):
                return False
            below += compress(members, map(_is_nested, map(type, members)))
        if not below:
            return True
        level = below
    return False


def bounded(event: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return an event that can be serialised in a time that its size in memory bounds.

    A list that holds one list twice, which holds one list twice, and so on, takes little memory,
    and would never end. Of such an event each value is converted (:func:`jsonable`).
    """
    count = 0
    level: list[Any] = [event]
    for _ in range(_ORJSON_DEPTH):  # what holds itself ends where `orjson` does
        count += sum(map(len, level))
        if count > MAX_NODES:
            return {key: jsonable(value) for key, value in event.items()}
        below: list[Any] = []
        for container in level:
            members = container.values() if type(container) is dict else container
            below += compress(members, map(_is_nested, map(type, members)))
        level = below
    return event


def _is_ordinary_float(value: Any) -> bool:
    """Whether a value is not a float, or is written with a point and without an exponent."""
    return type(value) is not float or (1e-4 <= abs(value) < 1e15 and not value.is_integer())


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


def type_name(value: BaseException) -> str:
    """Return an exception's type as people look it up: ``ValueError``, ``requests.Timeout``."""
    return class_name(type(value))


def class_name(kind: type) -> str:
    """Return the name of a class with its module, unless that is ``builtins``."""
    name = kind.__qualname__
    return clean(name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}")


def is_secret(kind: type) -> bool:
    """Whether a class is made to hide what it holds, as pydantic's and Starlette's are."""
    return hasattr(kind, "get_secret_value") or any(
        base.__name__.lstrip("_").startswith("Secret") for base in kind.__mro__
    )


def is_mock(kind: type) -> bool:
    """Whether objects of this class answer to everything, and count what they are asked."""
    return any(
        base.__name__ == "NonCallableMock" and base.__module__ == "unittest.mock"
        for base in kind.__mro__
    )


def writes_itself(kind: type) -> bool:
    """Whether a class, or one that it was derived from, defines ``__str__``."""
    return any("__str__" in vars(base) for base in kind.__mro__[:-1])


class _Walk:
    """One conversion: the containers it is inside of, and how many values it has seen."""

    def __init__(self) -> None:
        self.inside: set[int] = set()
        self.seen = 0

    def convert(self, value: Any, depth: int) -> Any:
        self.seen += 1
        if self.seen > MAX_NODES:
            return "<too large>"
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return clean(value)
        try:
            return self._convert(value, depth)
        except Exception:  # a __repr__, __str__, __iter__ … of the caller's that raises
            return _unprintable(value)

    def _convert(self, value: Any, depth: int) -> Any:
        form, content = _read(value)
        if form is _Form.DONE:
            return content
        if id(value) in self.inside:
            return "<cycle>"
        if depth >= MAX_DEPTH:
            return "<too deep>"
        self.inside.add(id(value))
        try:
            if form is _Form.OBJECT:
                return self._object(content, depth + 1)
            if form is _Form.AGAIN:
                return self.convert(content, depth)
            items = self._array(content, depth + 1)
            return sorted(items, key=canonical) if form is _Form.SET else items
        finally:
            self.inside.discard(id(value))

    def _array(self, values: Iterable[Any], depth: int) -> list[Any]:
        items = []
        for item in values:
            items.append(self.convert(item, depth))
            if self.seen > MAX_NODES:  # it may never end
                break
        return items

    def _object(self, members: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        last: dict[str, int] = {}
        for key, item in members:
            name = plain = _key(key)
            while name in result:  # {1: …, "1": …}: neither is lost
                last[plain] = last.get(plain, 1) + 1
                name = f"{plain}#{last[plain]}"
            result[name] = self.convert(item, depth)
            if self.seen > MAX_NODES:
                break
        return result


# --- What a value is, by its type.


class _Form(enum.Enum):
    DONE = enum.auto()  # the content is the JSON value
    AGAIN = enum.auto()  # the content stands for it
    ARRAY = enum.auto()
    SET = enum.auto()
    OBJECT = enum.auto()  # the content is pairs


_Way = Callable[[Any], tuple[_Form, Any]]


def _read(value: Any) -> tuple[_Form, Any]:
    kind: Any = type(value)
    return _way_of(kind)(value)


@functools.lru_cache(maxsize=1024)
def _way_of(kind: type) -> _Way:
    return next(way for fits, way in _WAYS if fits(kind))


def _done(convert: Callable[[Any], Any]) -> _Way:
    return lambda value: (_Form.DONE, convert(value))


def _derived(*kinds: type) -> Callable[[type], bool]:
    return lambda kind: issubclass(kind, kinds)


def _moment(value: dt.datetime) -> str:
    if value != value:  # pandas.NaT
        return clean(str(value))
    return timestamp_text(value) if value.utcoffset() is not None else value.isoformat()


def _bytes(value: Any) -> str:
    size = memoryview(value).nbytes
    if size > MAX_BYTES:
        return f"<{size} bytes>"
    return "base64:" + base64.b64encode(bytes(value)).decode()


def _exception(value: BaseException) -> dict[str, str]:
    try:
        message = clean(str(value))
    except Exception:
        message = _unprintable(value)
    return {"message": message, "type": type_name(value)}


def _integer(value: Any) -> int | str:
    value = int(value)
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return int(value)
    try:
        return str(value)
    except ValueError:  # Python refuses to write more than 4,300 decimal digits
        return hex(value)


def _float(value: Any) -> float | str:
    number = float(value) + 0.0  # of the type float itself
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _is_array(kind: type) -> bool:
    """Whether these are arrays or scalars of NumPy, pandas, PyTorch or JAX, held in memory."""
    return all(hasattr(kind, name) for name in ("dtype", "shape", "tolist"))


def _array(value: Any) -> tuple[_Form, Any]:
    if math.prod(value.shape) > MAX_NODES:
        return _Form.DONE, f"<{class_name(type(value))} of shape {tuple(value.shape)}>"
    if getattr(value.dtype, "kind", "") in ("M", "m"):  # tolist() makes integers of some
        return (_Form.ARRAY, map(str, value)) if value.shape else (_Form.DONE, str(value))
    content = value.tolist()
    if type(content) is type(value):  # a float wider than Python's
        return _Form.DONE, _float(value)
    return _Form.AGAIN, content


def _is_frame(kind: type) -> bool:
    return all(hasattr(kind, name) for name in ("columns", "dtypes", "shape", "__getitem__"))


def _frame(value: Any) -> tuple[_Form, Any]:
    if math.prod(value.shape) > MAX_NODES:
        return _Form.DONE, f"<{class_name(type(value))} of shape {tuple(value.shape)}>"
    return _Form.OBJECT, [(name, list(value[name])) for name in value.columns]


def _proxy(value: Any) -> tuple[_Form, Any]:
    return (_Form.DONE, _name_only(value)) if is_unread(value) else (_Form.AGAIN, unwrapped(value))


def _model(value: Any) -> tuple[_Form, Any]:
    key = model_key(value)
    id = key[0] if key and len(key) == 1 else key
    return _Form.OBJECT, (("id", id), ("type", model_type(type(value))))


def _has_fields(kind: type) -> bool:
    return (
        dataclasses.is_dataclass(kind)
        or hasattr(kind, "__attrs_attrs__")
        or hasattr(kind, "__struct_fields__")
        or hasattr(kind, "__pydantic_fields__")
        or issubclass(kind, types.SimpleNamespace)
        or (issubclass(kind, tuple | Sequence) and hasattr(kind, "_fields"))
    )


def fields_of(value: Any) -> dict[Any, Any] | None:
    """Return names and values of what is made of fields, a row's columns among them, or None."""
    value = unwrapped(value)
    kind: Any = type(value)
    if is_model(kind):
        return model_columns(value)
    if issubclass(kind, Mapping):
        return dict(value.items())
    return dict(_members(value)) if _has_fields(kind) else None


def _members(value: Any) -> Iterable[tuple[Any, Any]]:
    """Return names and values of an object that has fields: a dataclass, a pydantic model …"""
    kind: Any = type(value)
    if hasattr(kind, "__pydantic_fields__"):
        hidden = {name for name, field in kind.__pydantic_fields__.items() if field.exclude is True}
        extra = value.__pydantic_extra__ or {}
        return [item for item in {**vars(value), **extra}.items() if item[0] not in hidden]
    if hasattr(kind, "_fields"):
        return zip(value._fields, value, strict=False)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    elif hasattr(kind, "__struct_fields__"):
        names = list(kind.__struct_fields__)
    else:
        return list(vars(value).items())
    return [(name, getattr(value, name)) for name in names]


def _is_sequence(kind: type) -> bool:
    if hasattr(kind, "has_other_pages"):  # a page of Django's, whose items are a query
        return False
    return issubclass(kind, Sequence | type({}.values()))


def text_of(value: Any) -> str:
    """Return the text of an object that nothing else is known of, without memory addresses.

    It is what the class says by ``__str__``; else its ``repr``, but for what can be iterated
    over, whose ``repr`` may be a query, and for what shows another object in it.
    """
    kind = type(value)
    if isinstance(value, type):
        return f"<class '{class_name(value)}'>"
    if kind is types.MethodType:
        function = value.__func__
        return f"<bound method {function.__module__}.{function.__qualname__}>"
    if writes_itself(kind):
        text = str(value)
    elif issubclass(kind, io.IOBase):
        text = repr(value)
    elif hasattr(kind, "__iter__") or hasattr(kind, "__next__") or kind is functools.partial:
        return _name_only(value)
    else:
        text = repr(value)
    return clean(_ADDRESS.sub("", text))


def _name_only(value: Any) -> str:
    return f"<{class_name(type(value))} object>"


def _unprintable(value: Any) -> str:
    return f"<unprintable {clean(type(value).__name__)}>"


# The first that fits decides.
_WAYS: Final[tuple[tuple[Callable[[type], bool], _Way], ...]] = (
    (is_mock, _done(_name_only)),
    (is_secret, _done(lambda _: REDACTED)),
    (_derived(enum.Enum), lambda value: (_Form.AGAIN, value.value)),
    (_derived(str), _done(clean)),
    (_derived(dt.datetime), _done(_moment)),
    (_derived(dt.date, dt.time), _done(lambda value: value.isoformat())),
    (_derived(dt.timedelta), _done(lambda value: _float(value.total_seconds()))),
    (_derived(bytes, bytearray, memoryview), _done(_bytes)),
    (
        _derived(uuid.UUID, Decimal, Fraction, pathlib.PurePath, collections.UserString),
        _done(lambda value: clean(str(value))),
    ),
    (
        _derived(IPv4Address, IPv6Address, IPv4Network, IPv6Network),
        _done(lambda value: clean(str(value))),
    ),
    (_derived(BaseException), _done(_exception)),
    (_derived(type), _done(text_of)),
    (_is_array, _array),
    (_derived(numbers.Integral), _done(_integer)),
    (_derived(numbers.Real), _done(_float)),
    (is_proxy, _proxy),
    (is_model, _model),
    (_derived(Mapping), lambda value: (_Form.OBJECT, value.items())),
    (_has_fields, lambda value: (_Form.OBJECT, _members(value))),
    (_derived(Set), lambda value: (_Form.SET, value)),
    (_is_sequence, lambda value: (_Form.ARRAY, value)),
    (_is_frame, _frame),
    (lambda _: True, _done(text_of)),
)


def _key(key: Any) -> str:
    if isinstance(key, str) and not isinstance(key, enum.Enum):
        return clean(key)
    try:
        if key is None or isinstance(key, bool):
            return json.dumps(key)
        form, content = _read(key)
        if form is _Form.AGAIN:
            return _key(content)
        if form is not _Form.DONE or isinstance(content, dict):
            content = clean(_ADDRESS.sub("", str(key)))
        return content if isinstance(content, str) else canonical_text(content)
    except Exception:
        return _unprintable(key)
