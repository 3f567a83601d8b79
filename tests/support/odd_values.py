"""Values of every kind, and a reader of what becomes of them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import numbers
import types
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import rfc8785
from chains import read_json
from hypothesis import strategies as st

from chained_logging.event import values


def decoded(value: Any) -> Any:
    """Encode, check the form with an independent implementation, and read it back."""
    text = values.encode(value)
    back = read_json(text)
    assert rfc8785.dumps(back) == text.encode()
    return back


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    def __str__(self) -> str:
        return "not this"


class Point(NamedTuple):
    x: int
    y: object


@dataclasses.dataclass
class Patient:
    name: str
    born: dt.date
    tags: set[str]


@numbers.Integral.register
class NumpyLike:
    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


@numbers.Real.register
class NumpyFloat:
    def __float__(self) -> float:
        return 0.5


class ReprRaises:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class ReprIsNoString:
    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


class ReprIsSubclass:
    def __repr__(self) -> str:
        return Name("text")


class StrRaises(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class OddDecimal(Decimal):
    def __str__(self) -> str:
        return Name("text")


EAST = dt.timezone(dt.timedelta(hours=2))


def chosen(items: list[Any]) -> st.SearchStrategy[Any]:
    """Draw one of these, by its place: some of them have no repr that hypothesis could print."""
    return st.integers(0, len(items) - 1).map(lambda place: items[place])


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),  # lone surrogates among them
    st.binary(max_size=20),
    st.datetimes(timezones=st.one_of(st.none(), st.just(EAST), st.just(dt.UTC))),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.timedeltas(),
    st.complex_numbers(),
    chosen(
        [
            Colour.RED,
            Level.HIGH,
            Point(1, ReprRaises()),
            Patient("\ud800", dt.date.min, {"x"}),
            ReprRaises(),
            ReprIsNoString(),
            ReprIsSubclass(),
            OddDecimal("1"),
            StrRaises("x"),
            NumpyLike(2**70),
            NumpyFloat(),
            Name("x"),
            10**5000,
            object,
            ...,
        ]
    ),
)


keys = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=4),
    st.tuples(st.integers(0, 3)),
    st.sampled_from(["1", 1, 1.0, "1#2", Decimal(1), Colour.RED, "red", Fraction(1), b"1"]),
)


anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(collections.deque),
        st.dictionaries(keys, inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5).map(types.MappingProxyType),
        inner.map(lambda value: Point(1, value)),
    ),
    max_leaves=15,
)
