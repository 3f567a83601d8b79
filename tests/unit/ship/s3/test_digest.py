"""Names of objects and digests: what is written is read back, and nothing else is."""

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
from chained_logging.ship.s3.names import Name, decode_origin, encode_origin
from chained_logging.ship.s3.policy import Policy

TEXT = st.text(st.characters(codec="utf-8"), min_size=1)
NUMBER = st.integers(0, 2**63 - 1)
KIND = st.sampled_from(["segments", "checkpoints", "digests"])
HASH = "ab" * 32


@given(TEXT)
def test_an_origin_is_one_component_and_comes_back(origin: str) -> None:
    component = encode_origin(origin)
    assert decode_origin(component) == origin
    assert component not in (".", "..")
    assert component.isascii()
    # What S3 calls safe, and no client decodes or encodes.
    assert set(component) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
    )


@given(TEXT, TEXT)
def test_two_origins_have_two_components(one: str, other: str) -> None:
    assert (encode_origin(one) == encode_origin(other)) == (one == other)


@given(st.text(st.characters(codec="ascii"), max_size=12))
def test_a_component_that_was_not_made_is_refused(component: str) -> None:
    try:
        origin = decode_origin(component)
    except ValueError:
        return
    assert encode_origin(origin) == component


@pytest.mark.parametrize("bad", ["", "a_2fb", "_41", "a%2Fb", "..", "a/b", "_FF", "_"])
def test_an_origin_has_one_spelling(bad: str) -> None:
    with pytest.raises(ValueError, match=r"encoded origin|must not be empty|decode"):
        decode_origin(bad)


@given(TEXT, TEXT, NUMBER, NUMBER)
def test_keys_sort_by_origin_and_first_entry(one: str, other: str, low: int, high: int) -> None:
    low, high = sorted((low, high))
    keys = [Name("segments", first, 2**63 - 1).format() for first in (low, high)]
    assert (keys[0] < keys[1]) == (low < high)
    # No key of another origin falls between two of one.
    if one != other:
        first, last = (f"{encode_origin(one)}/{key}" for key in ("", "\U0010ffff"))
        assert not first <= f"{encode_origin(other)}/{keys[0]}" <= last


@given(KIND, NUMBER, NUMBER)
def test_a_name_comes_back(kind: str, first: int, last: int) -> None:
    first, last = sorted((first, last))
    name = Name(kind, first, last if kind == "segments" else first)
    assert Name.parse(name.format()) == name


@pytest.mark.parametrize(
    "bad",
    [
        "segments/00000000000000000001.jsonl.gz",
        "segments/00000000000000000002-00000000000000000001.jsonl.gz",
        "segments/00000000000000000001-00000000000000000002.jsonl",
        "segments/1-2.jsonl.gz",
        "segments/99999999999999999999-99999999999999999999.jsonl.gz",
        "segments/x/00000000000000000001-00000000000000000002.jsonl.gz",
        "checkpoints/00000000000000000001.digest",
        "digests/00000000000000000001.digest\n",
        "digests/٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠١.digest",
        "other/00000000000000000001.digest",
    ],
)
def test_another_name_is_none(bad: str) -> None:
    assert Name.parse(bad) is None


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


def test_a_policy_comes_back_and_is_bounded() -> None:
    policy = Policy(2192, "COMPLIANCE", "GOVERNANCE 30 days")
    assert Policy.parse(policy.format()) == policy
    assert policy.covers(Policy(2192, "GOVERNANCE"))
    assert not Policy(2192, "GOVERNANCE").covers(policy)
    for days, mode in ((0, "COMPLIANCE"), (36_501, "COMPLIANCE"), (1, "NONE"), (True, "X")):
        with pytest.raises(ValueError, match=r"retention|mode"):
            Policy(days, mode)
    for data in (b"", b"{}", b"[]", b"[" * 10**5, policy.format()[:-1], b'{"format":1}\n'):
        with pytest.raises(ValueError, match="not a policy"):
            Policy.parse(data)


def test_a_place_comes_back_through_json() -> None:
    summary = DigestSummary.of(digest(), HASH, True)
    assert DigestSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary
    for value in ({}, {"number": 1}, {**summary.to_json(), "number": "1"}, {"head": 3}):
        with pytest.raises(ValueError, match="not the summary"):
            DigestSummary.from_json(value)
