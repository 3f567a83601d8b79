"""Names of objects: what is written is read back, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.ship.s3.names import (
    ANCHORED_NAME,
    Name,
    anchored_name,
    decode_origin,
    encode_origin,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1)

NUMBER = st.integers(0, 2**63 - 1)

KIND = st.sampled_from(["segments", "checkpoints", "digests"])


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


def test_a_mark_tells_two_objects_of_the_same_numbers_apart() -> None:
    for name in (Name("segments", 3, 9, "0123456789abcdef"), Name("digests", 3, 3, "f" * 16)):
        assert Name.parse(name.format()) == name
        assert name.format() != name._replace(mark="").format()
    assert Name.parse("checkpoints/00000000000000000003-0123456789abcdef.json") is None


def test_a_checkpoint_that_others_signed_is_named_by_its_content() -> None:
    one, two = anchored_name(7, b"a"), anchored_name(7, b"b")
    assert one != two
    for name in (one, two):
        found = ANCHORED_NAME.fullmatch(name)
        assert found is not None
        assert int(found[1]) == 7
