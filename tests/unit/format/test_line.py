"""The chain as pure functions on bytes: hashes, stored lines and positions, and the vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import uuid

import pytest
import rfc8785
from chains import read_json
from folders import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from json_values import SAFE, texts

from chained_logging.format.canonical import canonical
from chained_logging.format.line import (
    GENESIS,
    MAX_BODY,
    check_next,
    leaf_hash,
    position,
    recorded_at,
    split_line,
    stored_line,
)


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


def test_the_time_of_an_entry_is_that_of_its_identifier() -> None:
    moment = 1_767_323_045_123
    id = str(uuid.UUID(int=moment << 80 | 7 << 76 | 2 << 62 | 5))
    body = _body(1, "a" * 64, {"id": id, "ip_address": None, "reason": '"id":"no"'})
    assert recorded_at(body) == moment / 1000
    with pytest.raises(ValueError, match="hexadecimal"):
        recorded_at(b"{}")


def test_an_entry_comes_next_in_one_place_only() -> None:
    body, prev = _body(4, "a" * 64, {}), "a" * 64
    check_next(body, leaf_hash(body), 4, prev)
    check_next(body, leaf_hash(body), 4, None)  # what comes before it is not known
    for hash, seq, before, said in (
        ("0" * 64, 4, prev, "the hash of entry 4 is not that of its content"),
        (leaf_hash(body), 3, prev, "entry 2 is followed by 4"),
        (leaf_hash(body), 4, "b" * 64, "entry 4 does not hold the hash of the one before"),
    ):
        with pytest.raises(ValueError, match=f"^{said}"):
            check_next(body, hash, seq, before)
