"""Digests: what is written is read back, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.format.note import verify_note
from chained_logging.format.record import Head
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.digest import (
    MAX_LISTED,
    Digest,
    DigestSummary,
    Listed,
    breaks,
    format_time,
    parse_digest,
    parse_time,
)
from chained_logging.ship.s3.names import Name

HASH = "ab" * 32


@given(st.integers(0, 2**33), st.integers(0, 999_999))
def test_a_time_comes_back(seconds: int, micros: int) -> None:
    text = format_time(seconds + micros / 1e6)
    assert abs(parse_time(text) - seconds - micros / 1e6) < 2e-6
    assert format_time(parse_time(text)) == text


def digest(**changed: Any) -> Digest:
    fields: dict[str, Any] = {
        "number": 1,
        "origin": "example.com/audit/web",
        "start": "2026-11-25T01:00:00.000000Z",
        "end": "2026-11-25T02:00:00.000000Z",
        "previous": HASH,
        "days": 30,
        "mode": "COMPLIANCE",
        "head": Head(41, HASH),
        "checkpoint": 42,
        "objects": (Listed(Name("segments", 0, 41).format(), HASH, 99, "v1"),),
    }
    return Digest(**{**fields, **changed})


def test_a_digest_comes_back_signed_or_not() -> None:
    key = PrivateKey.generate()
    plain, note = parse_digest(digest().sign(None))
    assert (plain, note) == (digest(), None)
    signed, note = parse_digest(digest().sign(key))
    assert signed == digest()
    assert note is not None
    assert verify_note(note, [VerifierKey(digest().origin, ED25519, key.public_key)])


def test_the_longest_digest_fits_a_note() -> None:
    objects = tuple(
        Listed(Name("segments", n, n).format(), HASH, 2**40, "v" * 700) for n in range(MAX_LISTED)
    )
    data = digest(objects=objects).sign(PrivateKey.generate())
    assert parse_digest(data).digest.objects == objects


@given(st.binary(max_size=300))
def test_what_is_no_digest_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_digest(data)


@given(st.data())
def test_a_digest_with_any_field_changed_is_refused_or_another_one(data: st.DataObject) -> None:
    fields = json.loads(digest().format())
    name = data.draw(st.sampled_from(sorted(fields)))
    other = data.draw(
        st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.lists(st.integers())
    )
    before, fields[name] = fields[name], other
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    try:
        found = parse_digest(text.encode("utf-8", "surrogatepass")).digest
    except ValueError:
        return
    assert (found == digest()) == (other == before)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"previous": "cd" * 32}, "another digest 0"),
        ({"previous": None}, "another digest 0"),
        ({"start": "2026-11-25T01:30:00.000000Z"}, "starts at"),
        ({"head": Head(3, HASH)}, "fewer entries"),
        ({"checkpoint": 1}, "fewer entries"),
        ({"days": 29}, "shorter or weaker"),
        ({"mode": "GOVERNANCE"}, "shorter or weaker"),
    ],
)
def test_what_does_not_follow_is_named(changed: dict[str, Any], said: str) -> None:
    before = digest(
        number=0,
        start="2026-11-25T00:00:00.000000Z",
        end="2026-11-25T01:00:00.000000Z",
        previous=None,
    )
    assert breaks(before, HASH, digest()) == []
    (reason,) = breaks(before, HASH, digest(**changed))
    assert said in reason


def test_a_place_comes_back_through_json() -> None:
    summary = DigestSummary.of(digest(), HASH, True)
    assert DigestSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary
    for value in ({}, {"number": 1}, {**summary.to_json(), "number": "1"}, {"head": 3}):
        with pytest.raises(ValueError, match="not the summary"):
            DigestSummary.from_json(value)
