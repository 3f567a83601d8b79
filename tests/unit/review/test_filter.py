"""A filter is one thing as options, as a text in a URL or an entry, and in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.review.filter import ANY, MANY, Filter

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAMES = [name for name in MANY if name not in ("text", "trace_id")]
FILTERS = st.builds(
    Filter,
    **{name: st.lists(TEXT, max_size=3).map(tuple) for name in NAMES},
    first_seq=st.none() | st.integers(0, 10**15),
    incomplete=st.booleans(),
)  # fmt: skip


@given(FILTERS)
def test_a_text_is_read_back_as_the_same_filter(wanted: Filter) -> None:
    text = str(wanted)
    assert text.isascii()
    assert text.isprintable()
    assert Filter.parse(text) == wanted
    assert str(Filter.parse(text)) == text


def test_order_and_repeats_make_no_difference() -> None:
    one = Filter.parse("action=read&actor=b&actor=a&seq=3-&until=2026-11-01Z")
    two = Filter.parse("until=2026-11-01Z&seq=3-&actor=a&actor=b&actor=a&action=read")
    assert one == two
    assert str(one) == "actor=a&actor=b&action=read&until=2026-11-01T00:00:00.000000Z&seq=3-"
    assert Filter(actor="ann") == Filter(actor=("ann",))  # type: ignore[arg-type]


def test_a_filter_is_said_in_words() -> None:
    wanted = Filter.parse(
        "actor=ann&actor=bob&action=read&resource=patient/7&since=2026-10-01Z&seq=5-9&incomplete=1"
    )
    assert wanted.words() == (
        "by ann or bob, with action read, about patient/7, since 2026-10-01T00:00:00Z, "
        "from seq 5 on, up to seq 9, with a missing or invalid field"
    )
    assert ANY.words() == "all entries"
    assert Filter(actor=("\x1b[2J\u202e",)).words() == "by \\x1b[2J\\u202e"
    assert Filter(actor=("100%s",)).words() == "by 100%s"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("acter=ann", "acter is not a field of a filter"),
        ("actor", "the query of a URL"),
        ("since=soon", "since must be a date"),
        ("seq=9-5", "seq must not end before it begins"),
        ("seq=-", "seq must be a number or a range"),
        ("seq=" + "1" * 20, "seq must be a number or a range"),
        ("text=%21%21", "must hold a letter or a digit"),
        ("incomplete=maybe", "must be true or false"),
        ("\x1b[2J=1", r"\\x1b\[2J is not a field"),
    ],
)
def test_what_is_not_a_filter_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Filter.parse(text)
