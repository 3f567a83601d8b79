"""Canonical JSON against independent implementations, vectors and other encoders."""

from __future__ import annotations

import json
import re

import pytest
import rfc8785
from chains import read_json
from folders import VECTORS
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import SAFE, texts

from chained_logging.format.canonical import canonical, canonical_text, number

JCS = VECTORS / "jcs"

floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.builds(
        lambda digits, exponent: float(f"{digits}e{exponent}"),
        st.integers(-(10**17), 10**17),
        st.integers(-40, 30),
    ),
    st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e16, 1e21, 1e-6, 1e-7]),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-SAFE, SAFE), floats, texts)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=6)),
    max_leaves=25,
)


@given(json_values)
@example({"\U0001f600": 1, "\ufb33": 2, "\uffff": 3, "\ud7ff": 4, "\U0010ffff": 5, "a": 6})
@example("\x7f\x00\u2028")
@example([1e16, 1e-7, -0.0, 1e21, 123456789012345680000.0, 0.000001, 5e-324])
def test_canonical_is_rfc8785(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert canonical_text(value).encode() == rfc8785.dumps(value)


@given(st.lists(floats, min_size=20, max_size=60))
def test_numbers_are_those_of_ecmascript(values: list[float]) -> None:
    for value in values:
        assert number(value).encode() == rfc8785.dumps(value)
        assert float(number(value)) == value


@given(st.lists(texts, unique=True, max_size=12))
def test_keys_are_in_the_order_of_utf16(keys: list[str]) -> None:
    found = [key for key, _ in json.loads(canonical(dict.fromkeys(keys)), object_pairs_hook=list)]
    assert found == sorted(keys, key=lambda key: key.encode("utf-16-be"))


@given(json_values)
def test_canonical_form_is_stable(value: object) -> None:
    text = canonical(value)
    assert rfc8785.dumps(read_json(text)) == text


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_jcs_test_vectors(name: str) -> None:
    value = json.loads((JCS / "input" / f"{name}.json").read_bytes())
    assert canonical(value) == (JCS / "output" / f"{name}.json").read_bytes()
    expected = bytes.fromhex((JCS / "outhex" / f"{name}.txt").read_text())
    assert canonical(value) == expected


_OWN = json.loads((VECTORS / "canonical.json").read_text())


@pytest.mark.parametrize("vector", _OWN, ids=[vector["name"] for vector in _OWN])
def test_own_canonical_vectors(vector: dict[str, str]) -> None:
    value = json.loads(vector["input"])
    assert canonical(value).hex() == vector["expected_hex"]
    assert rfc8785.dumps(value).hex() == vector["expected_hex"]


class _Text(str):
    """A str that may say of itself what it likes."""


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        2**53,
        -(2**53),
        "\ud800",
        "a\udc80b",
        "é\udfff",
        {"\ud800": 1},
        {"é\udc00": 1},
        {1: 2},
        {None: 1},
        {True: 1},
        {"a": 1, 2: 1},
        {1, 2},
        (1, 2),
        b"bytes",
        object(),
        1j,
    ],
    ids=lambda value: re.sub(" at 0x.*", "", ascii(value))[:30],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    for nested in (value, [value], {"a": value}, {"a": {"é": [value]}}):
        with pytest.raises(ValueError, match=r"canonical|not a string|surrogate"):
            canonical(nested)


def test_limits_of_integers_are_accepted() -> None:
    assert canonical([SAFE, -SAFE]) == b"[9007199254740991,-9007199254740991]"


def _plain(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


# Why json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False) is not enough: the
# value, what RFC 8785 asks for, what json.dumps writes. `None` is: it has no canonical form.
DIFFERENCES = [
    pytest.param(1e16, b"10000000000000000", b"1e+16", id="1e16"),
    pytest.param(1e20, b"100000000000000000000", b"1e+20", id="1e20"),
    pytest.param(1e-7, b"1e-7", b"1e-07", id="1e-7"),
    pytest.param(1e-5, b"0.00001", b"1e-05", id="1e-5"),
    pytest.param(1.0, b"1", b"1.0", id="1.0"),
    pytest.param(-0.0, b"0", b"-0.0", id="minus-zero"),
    pytest.param(
        {"\ufb33": 1, "\U0001f600": 2},
        '{"\U0001f600":2,"\ufb33":1}'.encode(),
        '{"\ufb33":1,"\U0001f600":2}'.encode(),
        id="astral-keys",
    ),
    pytest.param("\ud800", None, b'"\xed\xa0\x80"', id="lone-surrogate"),
    pytest.param(float("nan"), None, b"NaN", id="nan"),
    pytest.param(2**53, None, b"9007199254740992", id="2**53"),
    pytest.param({1: "a"}, None, b'{"1":"a"}', id="integer-key"),
]


@pytest.mark.parametrize(("value", "ours", "stdlib"), DIFFERENCES)
def test_where_json_dumps_differs(value: object, ours: bytes | None, stdlib: bytes) -> None:
    assert _plain(value) == stdlib
    if ours is None:
        with pytest.raises(ValueError, match=r"canonical|not a string|surrogate"):
            canonical(value)
    else:
        assert canonical(value) == ours == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "ours", "theirs"),
    [
        (1.0, b"1", b"1.0"),
        (-0.0, b"0", b"-0.0"),
        (float("nan"), None, b"null"),
        (2**53, None, b"9007199254740992"),
        (
            {"\ufb33": 1, "\U0001f600": 2},
            '{"\U0001f600":2,"\ufb33":1}'.encode(),
            '{"\ufb33":1,"\U0001f600":2}'.encode(),
        ),
    ],
    ids=ascii,
)
def test_where_orjson_differs(value: object, ours: bytes | None, theirs: bytes) -> None:
    orjson = pytest.importorskip("orjson")
    assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == theirs
    if ours is None:
        with pytest.raises(ValueError, match="canonical"):
            canonical(value)
    else:
        assert canonical(value) == ours
