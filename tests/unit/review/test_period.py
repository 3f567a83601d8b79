"""Periods: days in UTC, and the period before."""

from __future__ import annotations

import datetime as dt

import pytest

from chained_logging.review.filter import Filter
from chained_logging.review.period import Period

OCTOBER = Period("2024-10-01T00:00:00.000000Z", "2024-10-31T00:00:00.000000Z")


def test_a_period_ends_with_the_day_of_an_instant_in_utc() -> None:
    late = dt.datetime(2024, 10, 30, 23, tzinfo=dt.timezone(dt.timedelta(hours=-2)))
    assert Period.ending(late, 2) == Period(
        "2024-10-30T00:00:00.000000Z", "2024-11-01T00:00:00.000000Z"
    )


def test_the_period_before_has_the_same_length_and_touches_it() -> None:
    assert OCTOBER.before() == Period("2024-09-01T00:00:00.000000Z", OCTOBER.since)


def test_a_filter_is_narrowed_and_never_widened() -> None:
    inside = Filter(since="2024-10-05T00:00:00.000000Z", until="2024-12-01T00:00:00.000000Z")
    assert OCTOBER.within(inside) == Filter(since=inside.since, until=OCTOBER.until)


def test_every_day_that_it_touches_is_named_once() -> None:
    days = list(Period("2024-10-30T23:59:00.000000Z", "2024-11-01T00:00:00.000001Z").days())
    assert days == ["2024-10-30", "2024-10-31", "2024-11-01"]
    assert list(OCTOBER.days())[-1] == "2024-10-30"


def test_it_must_end_after_it_begins() -> None:
    with pytest.raises(ValueError, match="must end after it begins"):
        Period(OCTOBER.until, OCTOBER.since)
