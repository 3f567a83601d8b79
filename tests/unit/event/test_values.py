"""What values that JSON cannot carry become: the table of docs/format.md; nothing breaks."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import ipaddress
import itertools
import pathlib
import subprocess
import sys
import time
import types
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import rfc8785
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_values import (
    EAST,
    Colour,
    Level,
    Name,
    NumpyFloat,
    NumpyLike,
    OddDecimal,
    Patient,
    Point,
    ReprIsNoString,
    ReprIsSubclass,
    ReprRaises,
    StrRaises,
    anything,
    decoded,
    keys,
)

from chained_logging.event import clock, values
from chained_logging.format.canonical import canonical_text


class Nested(Exception):
    pass


class IterRaises(collections.UserList):
    def __iter__(self) -> Any:
        raise RuntimeError("no")


class LenRaises(collections.UserDict):
    def items(self) -> Any:
        raise RuntimeError("no")


class ClassRaises:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")


ROWS = [
    pytest.param(2**53 - 1, 2**53 - 1, id="largest-integer"),
    pytest.param(2**53, "9007199254740992", id="integer-beyond"),
    pytest.param(-(2**53), "-9007199254740992", id="integer-below"),
    pytest.param(10**4299, "1" + "0" * 4299, id="4,300-digits"),
    pytest.param(2**20000, hex(2**20000), id="hexadecimal"),
    pytest.param(-(2**20000), hex(-(2**20000)), id="negative-hexadecimal"),
    pytest.param(float("nan"), "NaN", id="nan"),
    pytest.param(float("inf"), "Infinity", id="infinity"),
    pytest.param(float("-inf"), "-Infinity", id="minus-infinity"),
    pytest.param("a\udc80b", "a\\udc80b", id="lone-surrogate"),
    pytest.param({"\ud800": 1}, {"\\ud800": 1}, id="lone-surrogate-in-key"),
    pytest.param(
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=EAST), "2026-01-02T01:04:05.000000Z", id="aware"
    ),
    pytest.param(
        dt.datetime(999, 1, 2, tzinfo=dt.UTC), "0999-01-02T00:00:00.000000Z", id="year-999"
    ),
    pytest.param(dt.datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006", id="naive"),
    pytest.param(dt.date(2026, 1, 2), "2026-01-02", id="date"),
    pytest.param(dt.time(3, 4), "03:04:00", id="time"),
    pytest.param(dt.timedelta(days=1, microseconds=500_000), 86400.5, id="timedelta"),
    pytest.param(dt.timedelta(seconds=1), 1, id="timedelta-whole"),
    pytest.param(b"\x00\xff\xfe?", "base64:AP/+Pw==", id="bytes"),
    pytest.param(bytearray(b"a"), "base64:YQ==", id="bytearray"),
    pytest.param(memoryview(b"abcd")[::2], "base64:YWM=", id="memoryview"),
    pytest.param(uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
    pytest.param(Decimal("1.50"), "1.50", id="decimal"),
    pytest.param(Decimal("NaN"), "NaN", id="decimal-nan"),
    pytest.param(Fraction(1, 3), "1/3", id="fraction"),
    pytest.param(pathlib.PurePosixPath("/a/b"), "/a/b", id="path"),
    pytest.param(pathlib.PurePosixPath("/\udc80"), "/\\udc80", id="path-not-utf8"),
    pytest.param(ipaddress.ip_address("::1"), "::1", id="address"),
    pytest.param(ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8", id="network"),
    pytest.param(Colour.RED, "red", id="enum"),
    pytest.param(Colour.PAIR, [1, 2], id="enum-of-a-tuple"),
    pytest.param(Level.HIGH, 3, id="int-enum"),
    pytest.param((1, "a"), [1, "a"], id="tuple"),
    pytest.param(range(3), [0, 1, 2], id="range"),
    pytest.param(collections.deque([1, 2]), [1, 2], id="deque"),
    pytest.param({"a": 1}.values(), [1], id="values-view"),
    pytest.param({"b": 1, "a": 2}.keys(), ["a", "b"], id="keys-view"),
    pytest.param({3, 1, 2}, [1, 2, 3], id="set"),
    pytest.param(frozenset({10, 9, "a", None}), ["a", 10, 9, None], id="mixed-set"),
    pytest.param({"\U0001f600", "\ufb33"}, ["\ufb33", "\U0001f600"], id="set-by-bytes"),
    pytest.param(
        Patient("Zoë", dt.date(1990, 1, 1), {"b", "a"}),
        {"name": "Zoë", "born": "1990-01-01", "tags": ["a", "b"]},
        id="dataclass",
    ),
    pytest.param(Point(1, b""), {"x": 1, "y": "base64:"}, id="named-tuple"),
    pytest.param(types.MappingProxyType({"a": 1}), {"a": 1}, id="mapping"),
    pytest.param(
        {1: "c", None: "b", 1.5: "d"},
        {"1": "c", "null": "b", "1.5": "d"},
        id="keys",
    ),
    pytest.param({True: 1, "true": 2}, {"true": 1, "true#2": 2}, id="collision"),
    pytest.param({(1, 2): 1}, {"(1, 2)": 1}, id="key-by-str"),
    pytest.param({Colour.RED: 1}, {"red": 1}, id="enum-key"),
    pytest.param({1e16: 1, -0.0: 2}, {"10000000000000000": 1, "0": 2}, id="float-keys"),
    pytest.param({2**53: 1}, {"9007199254740992": 1}, id="large-key"),
    pytest.param(ValueError("bad"), {"message": "bad", "type": "ValueError"}, id="exception"),
    pytest.param(
        Nested("x"), {"message": "x", "type": f"{__name__}.Nested"}, id="exception-of-a-module"
    ),
    pytest.param(
        StrRaises(),
        {"message": "<unprintable StrRaises>", "type": f"{StrRaises.__module__}.StrRaises"},
        id="exception-unprintable",
    ),
    pytest.param(NumpyLike(7), 7, id="integral"),
    pytest.param(NumpyLike(2**60), str(2**60), id="integral-beyond"),
    pytest.param(NumpyFloat(), 0.5, id="real"),
    pytest.param(1j, "1j", id="anything-else"),
    pytest.param(len, "<built-in function len>", id="function"),
    pytest.param(ReprRaises(), "<unprintable ReprRaises>", id="unprintable"),
    pytest.param(ReprIsNoString(), "<unprintable ReprIsNoString>", id="repr-is-no-string"),
    pytest.param(Name("as stored"), "as stored", id="str-subclass"),
    pytest.param(True, True, id="true"),
    pytest.param(None, None, id="none"),
]


@pytest.mark.parametrize(("value", "expected"), ROWS)
def test_table_of_the_format(value: Any, expected: Any) -> None:
    assert decoded(value) == expected
    assert type(decoded(value)) is type(expected) or isinstance(expected, int | float)
    assert decoded([value]) == [expected]
    assert decoded({"k": value}) == {"k": expected}
    assert decoded({"k": [value]})["k"] == [expected]


def test_minus_zero() -> None:
    assert values.encode(-0.0) == "0"
    assert values.encode({"a": [-0.0]}) == '{"a":[0]}'


def test_no_value_is_lost_when_keys_collide() -> None:
    assert decoded({"1": "a", 1: "b"}) == {"1": "a", "1#2": "b"}
    assert decoded({"1": "a", 1: "b", b"1": "c", "1#2": "d"}) == {
        "1": "a",
        "1#2": "b",
        "base64:MQ==": "c",
        "1#2#2": "d",
    }


def test_thousands_of_colliding_keys_are_quick() -> None:
    class Same:
        def __str__(self) -> str:
            return "same"

    began = time.process_time()
    got = decoded({Same(): n for n in range(20_000)})
    assert time.process_time() - began < 10  # quadratic would be minutes
    assert len(got) == 20_000
    assert got["same"] == 0
    assert got["same#2"] == 1


def test_cycles() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert decoded(loop) == [1, "<cycle>"]
    table: dict[str, Any] = {}
    table["self"] = {"again": table}
    assert decoded(table) == {"self": {"again": "<cycle>"}}
    shared = [1]
    assert decoded([shared, shared]) == [[1], [1]]


def test_deep_nesting_is_cut_at_64() -> None:
    value: Any = "bottom"
    for _ in range(200):
        value = [value]
    got = decoded(value)
    for _ in range(64):
        assert type(got) is list
        (got,) = got
    assert got == "<too deep>"
    value = "bottom"
    for _ in range(64):
        value = {"a": value}
    assert "bottom" in values.encode(value)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "<too deep>" in values.encode(deep)
    while deep:  # or its collection overflows the C stack on some Pythons
        deep = deep.pop()


def test_shared_references_do_not_explode() -> None:
    bomb: Any = ["x"] * 10
    for _ in range(40):
        bomb = [bomb] * 10
    began = time.process_time()
    text = values.encode(bomb)
    assert time.process_time() - began < 10
    assert "<too large>" in text


ENDLESS = """
import collections, itertools, resource, signal
from chained_logging.event import values
class Sequence(collections.abc.Sequence):
    def __len__(self): return 3
    def __getitem__(self, at): return at
class Mapping(collections.abc.Mapping):
    def __len__(self): return 3
    def __iter__(self): return itertools.count()
    def __getitem__(self, at): return [at]
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
signal.alarm(60)
text = values.encode({})
assert "<too large>" in text or text == '"<1073741824 bytes>"', text[-100:]
assert len(text) < 50_000_000, len(text)
"""


@pytest.mark.parametrize(
    "value", ["range(10**11)", "Sequence()", "Mapping()", "memoryview(bytearray(2**30))"]
)
def test_ends_for_a_sequence_without_an_end(value: str) -> None:
    program = ENDLESS.replace("{}", value)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"{value}: {done.returncode} {done.stderr[-300:]}"


@pytest.mark.parametrize(
    "value",
    [
        ReprIsSubclass(),
        OddDecimal("1"),
        IterRaises([1]),
        LenRaises({"a": 1}),
        StrRaises(ReprRaises()),
        {ReprRaises(): 1},
        {ReprIsSubclass(): 1},
        {StrRaises(): 1},
        {frozenset({1}): 1},
        dt.datetime(1, 1, 1, tzinfo=EAST),
        dt.datetime(2026, 1, 1, tzinfo=dt.tzinfo()),
        dt.timedelta.max,
        Patient,
        dataclasses.make_dataclass("Empty", [("a", int, dataclasses.field(init=False))])(),
        {1, (2, 3), frozenset({4}), None, "x"},
        iter([1]),
        (n for n in range(3)),
        Exception(ReprRaises()),
        ExceptionGroup("many", [ValueError(1)]),
        types.SimpleNamespace(a=ReprRaises()),
        collections.defaultdict(list, a=[1]),
        collections.Counter("aab"),
        sys.modules[__name__],
    ],
    ids=lambda value: type(value).__name__,
)
def test_nasty_values_do_not_raise(value: Any) -> None:
    for nested in (value, [value], {"a": value}, {"a": {"b": value}}, (value,)):
        decoded(nested)


def test_a_class_property_that_raises() -> None:
    assert decoded({"a": [ClassRaises()]}) == {"a": ["<unprintable ClassRaises>"]}


@given(anything)
def test_encode_never_raises_and_is_canonical(value: Any) -> None:
    decoded(value)


@given(st.dictionaries(keys, st.integers(0, 9), max_size=9))
def test_every_key_keeps_its_value(value: dict[Any, int]) -> None:
    assert sorted(decoded(value).values()) == sorted(value.values())
    assert sorted(decoded([value])[0].values()) == sorted(value.values())


@given(st.sets(st.one_of(st.integers(), st.text(max_size=3), st.booleans()), max_size=8))
def test_sets_are_sorted_by_canonical_form(value: set[Any]) -> None:
    found = decoded(value)
    assert [rfc8785.dumps(x) for x in found] == sorted(rfc8785.dumps(x) for x in found)
    assert len(found) == len(value)
    for order in itertools.islice(itertools.permutations(value), 5):
        assert values.encode(set(order)) == values.encode(value)


plain_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.floats(),
    st.sampled_from([1e-4, 1e-5, 9e14, 1e15, 1e16, 1e21, 0.1, 1.0, -0.0, 5e-324]),
    st.text(max_size=5),
    st.uuids(),
    st.decimals(),
    st.datetimes(),
    st.dates(),
)
plain_keys = st.one_of(
    st.text(max_size=3), st.sampled_from(["\U0001f600", "\ufb33", "\ud7ff", "é", "a"])
)
ordinary = st.dictionaries(
    plain_keys,
    st.recursive(
        plain_leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(plain_keys, inner, max_size=4),
        ),
        max_leaves=20,
    ),
    max_size=4,
)


@settings(max_examples=often(1000), deadline=None)
@given(ordinary)
def test_the_quick_way_writes_what_the_careful_way_writes(value: dict[str, Any]) -> None:
    assert values.encode(value) == canonical_text(values.jsonable(value))


def test_depth_is_the_same_in_both_ways() -> None:
    for depth in (62, 63, 64, 65, 300):
        value: Any = {"a": "bottom"}
        for _ in range(depth):
            value = {"a": value}
        assert values.encode(value) == canonical_text(values.jsonable(value))


def test_threads_that_make_identifiers_at_once_never_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between a refill and the taking of one, other threads may take all the rest."""

    class Robbed(list[str]):
        def extend(self, parts: Any) -> None:
            """Other threads are faster."""

    monkeypatch.setattr(clock, "_random", Robbed())
    made = {clock.uuid7(1_700_000_000_000_000_000) for _ in range(100)}
    assert len(made) == 100
