"""Addresses: one for each filter, and each is understood as it was made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.review.filter import Filter
from chained_logging.review.viewer.links import Asked, Links, Misasked, asked

ODD = ["ann", "a&b=c", "ü/ß", "a b+c", "100%", "<script>", "?#", "'\"", "\u202e", "=1"]


@given(st.lists(st.sampled_from(ODD), max_size=3), st.integers(0, 1 << 50) | st.none())
def test_an_address_is_understood_as_it_was_made(actors: list[str], cursor: int | None) -> None:
    wanted = Filter(actor=tuple(actors), since="2026-10-01T00:00:00.000000Z", first_seq=3)
    link = Links("/audit/").entries(wanted, cursor)
    assert link.startswith("/audit/entries?")
    assert link.isascii()
    assert not set(link) & set("<>\"' ")
    assert asked(link.partition("?")[2]) == Asked(wanted, cursor, {}, True)


@given(st.sampled_from(ODD))
def test_an_actor_and_a_resource_are_found_again(id: str) -> None:
    for link in (Links().actor(id), Links().resource(id)):
        assert asked(link.partition("?")[2], "id").own == {"id": id}


def test_empty_fields_of_a_form_say_nothing_and_are_not_exact() -> None:
    found = asked("actor=ann&action=&since=&text=+")
    assert found == Asked(Filter(actor=("ann",)), None, {}, False)
    assert asked("result=denied&actor=ann").exact is False  # another order
    assert asked("actor=ann&result=denied").exact


def test_times_without_a_zone_are_in_utc_as_all_times_of_the_pages() -> None:
    wanted = asked("since=2026-10-01&until=2026-10-02T09:30").wanted
    assert wanted.since == "2026-10-01T00:00:00.000000Z"
    assert wanted.until == "2026-10-02T09:30:00.000000Z"
    assert asked("since=2026-10-01T09:30%2B02:00").wanted.since == "2026-10-01T07:30:00.000000Z"


@pytest.mark.parametrize(
    "query",
    [
        "foo=1",
        "since=never",
        "seq=9-1",
        "before=x",
        "before=-1",
        "before=٣",
        "text=!",
        "a=1&" * 400,
    ],
)
def test_what_cannot_be_asked_is_refused(query: str) -> None:
    with pytest.raises(Misasked):
        asked(query)


def test_a_page_takes_its_own_parameters_alone() -> None:
    with pytest.raises(Misasked, match="foo is not a field"):
        asked("foo=7")
    assert asked("id=7").own == {}
