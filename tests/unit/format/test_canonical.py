"""The chain's pure functions against independent implementations, vectors and real programs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest
import rfc8785
from chains import read_json
from folders import VECTORS
from hypothesis import example, given
from hypothesis import strategies as st

from chained_logging.format.canonical import canonical, canonical_text, number
from chained_logging.format.line import (
    GENESIS,
    MAX_BODY,
    leaf_hash,
    position,
    split_line,
    stored_line,
)

JCS = VECTORS / "jcs"
SAFE = 2**53 - 1

texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.characters(max_codepoint=0x1F),
        st.sampled_from('"\\/\x7f\x80\u2028\u2029\ufb33\uffff\U00010000\U0001f600\U0010ffff'),
    ),
    max_size=12,
)
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


# --- The hash.


@pytest.mark.parametrize("body", [b"{}", b'{"a":"\xc3\xa9"}', b"x" * 65_535, b"\0"])
def test_leaf_hash_is_what_programs_compute(body: bytes) -> None:
    ran = 0
    for command in (["sha256sum"], ["openssl", "dgst", "-sha256", "-r"]):
        if shutil.which(command[0]):
            done = subprocess.run(command, input=b"\0" + body, capture_output=True, check=True)
            assert done.stdout.split()[0].decode() == leaf_hash(body)
            ran += 1
    if not ran:
        pytest.skip("neither sha256sum nor openssl is here")


def test_leaf_hash_of_the_empty_string_is_that_of_rfc6962() -> None:
    expected = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"") == expected


# --- The stored line.

TRICKS = [',"prev_hash":"', ',"seq":', ',"hash":"', ',"seq":7}', ',"prev_hash":"GENESIS","seq":1}']


def _body(seq: int, prev: str, extra: dict[str, object]) -> bytes:
    fields = {"action": "read", "v": 1, "timestamp": "t", **extra, "seq": seq, "prev_hash": prev}
    return rfc8785.dumps(fields)


hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
signatures = st.one_of(
    st.none(), st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode())
)
tricky = st.one_of(texts, st.sampled_from(TRICKS), st.sampled_from(["seq", "prev_hash", "hash"]))
nested = st.recursive(
    st.one_of(tricky, st.integers(0, 99)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(tricky, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    seq=st.integers(0, SAFE),
    prev=st.one_of(hashes, st.just("GENESIS")),
    context=st.dictionaries(tricky, nested, max_size=5),
    old_values=st.dictionaries(tricky, nested, max_size=3),
    agent=tricky,
    session=tricky,
    signature=signatures,
)
def test_a_line_is_cut_where_it_was_joined(
    seq: int,
    prev: str,
    context: dict[str, object],
    old_values: dict[str, object],
    agent: str,
    session: str,
    signature: str | None,
) -> None:
    context = {"a": 1, "prev_hash": "0" * 64, "seq": 99, "hash": "f" * 64, **context}
    extra = {
        "context": context,
        "old_values": old_values,
        "user_agent": agent,
        "session_id": session,
        "resource_id": agent,
        "reason": session,
    }
    body = _body(seq, prev, extra)
    hash = hashlib.sha256(b"\0" + body).hexdigest()
    line = stored_line(body, hash, signature)
    assert split_line(line) == (body, hash, signature)
    assert position(body) == (seq, prev)
    expected = {**json.loads(body), "hash": hash}
    if signature is not None:
        expected["signature"] = signature
    assert json.loads(line) == expected


@pytest.mark.parametrize("trick", TRICKS)
def test_the_chain_fields_as_text_and_as_nested_keys(trick: str) -> None:
    inner = {"a": 0, "prev_hash": "1" * 64, "seq": 5, "hash": "2" * 64, "signature": "x"}
    extra = {
        "context": {trick: trick, "b": inner, "z": [inner]},
        "old_values": inner,
        "user_agent": trick,
        "session_id": trick,
        "resource_id": trick,
    }
    body = _body(3, "a" * 64, extra)
    assert position(body) == (3, "a" * 64)
    line = stored_line(body, "b" * 64)
    assert split_line(line) == (body, "b" * 64, None)


_LINE = stored_line(_body(0, "GENESIS", {}), "0" * 64)
_SIGNED = stored_line(_body(0, "GENESIS", {}), "0" * 64, "A" * 86 + "==")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"[" + _LINE[1:],
        _LINE + b" ",
        _LINE + b"\r",
        _LINE + b"\n",
        b" " + _LINE,
        b"\xef\xbb\xbf" + _LINE,
        _LINE[:-1],
        _LINE[1:],
        _LINE[:-3] + b'"}',
        _LINE[:-3] + b'A"}',
        _LINE.replace(b',"hash"', b', "hash"'),
        _LINE[:-1] + b',"x":1}',
        _SIGNED.replace(b"==", b"="),
        _SIGNED.replace(b"==", b"A="),
        b',"hash":"' + b"0" * 64 + b'"}',
        b'{"hash":"' + b"0" * 64 + b'"}',
    ],
)
def test_what_is_no_stored_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a stored line"):
        split_line(line)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"",
        b'{"a":1,"prev_hash":"GENESIS"}',
        b'{"a":1,"seq":1}',
        b'{"a":1,"prev_hash":"genesis","seq":1}',
        b'{"a":1,"prev_hash":"' + b"A" * 64 + b'","seq":1}',
        b'{"a":1,"prev_hash":"GENESIS","seq":01}',
        b'{"a":1,"prev_hash":"GENESIS","seq":-1}',
        b'{"a":1,"prev_hash":"GENESIS","seq":1.5}',
        b'{"a":1,"prev_hash":"GENESIS","seq":"1"}',
    ],
)
def test_what_has_no_position_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no position in a chain"):
        position(body)


# --- Test vectors: what another implementation must reproduce.


def test_vector_chain_is_reproduced() -> None:
    data = (VECTORS / "entries.jsonl").read_bytes()
    assert data.endswith(b"\n")
    lines = data[:-1].split(b"\n")
    assert len(lines) == 7
    prev = GENESIS
    for seq, line in enumerate(lines):
        body, hash, signature = split_line(line)
        assert signature is None
        assert position(body) == (seq, prev)
        assert leaf_hash(body) == hash
        assert canonical(read_json(body)) == body
        assert stored_line(body, hash) == line
        prev = hash


def _fault(lines: list[str]) -> str | None:
    """Name the first thing wrong with a chain, as the package's pure functions see it."""
    prev, expected = GENESIS, 0
    for text in lines:
        line = text.encode()
        try:
            body, hash, _ = split_line(line)
            if canonical(read_json(body)) != body or len(body) > MAX_BODY:
                return "format"
            seq, before = position(body)
        except ValueError:
            return "format"
        if leaf_hash(body) != hash:
            return "hash"
        if seq != expected:
            return "sequence"
        if before != prev:
            return "link"
        prev, expected = hash, seq + 1
    return None


_BROKEN = json.loads((VECTORS / "broken.json").read_text())


@pytest.mark.parametrize("vector", _BROKEN, ids=[vector["name"] for vector in _BROKEN])
def test_vector_of_a_broken_chain_is_refused(vector: dict[str, object]) -> None:
    assert _fault(vector["lines"]) == vector["check"]
