"""Periods of reviews, checked against the calendar."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chained_logging.config import reviewing
from chained_logging.review.period import instant
from chained_logging.review.reviews.schedule import EVERY, Every, after, begin_of, ended, last_whole

NOW = dt.datetime(2026, 3, 4, 15, 30, tzinfo=dt.UTC)  # a Wednesday
MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))


def test_each_kind_of_period_can_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for every in EVERY:
        monkeypatch.setenv("CHAINED_LOGGING_REVIEW_EVERY", every)
        assert reviewing() == {"every": every}


@pytest.mark.parametrize(
    ("every", "since", "until"),
    [
        ("week", "2026-02-23", "2026-03-02"),
        ("month", "2026-02-01", "2026-03-01"),
        ("quarter", "2025-10-01", "2026-01-01"),
        ("year", "2025-01-01", "2026-01-01"),
    ],
)
def test_the_last_whole_period(every: Every, since: str, until: str) -> None:
    period = last_whole(every, NOW)
    assert (period.since[:10], period.until[:10]) == (since, until)


@given(MOMENTS, st.sampled_from(EVERY))
def test_each_moment_is_in_one_period(moment: dt.datetime, every: Every) -> None:
    begin = begin_of(every, moment)
    end = after(every, begin)
    assert begin <= moment < end
    assert begin_of(every, end) == end
    assert begin_of(every, end - dt.timedelta(microseconds=1)) == begin


@given(MOMENTS, st.sampled_from(EVERY), st.integers(0, 800))
def test_periods_follow_one_another_up_to_the_last_whole_one(
    moment: dt.datetime, every: Every, days: int
) -> None:
    now = moment + dt.timedelta(days=days)
    found = list(ended(every, moment.isoformat(), now))
    assert all(one.until == other.since for one, other in pairwise(found))
    if found:
        assert instant(found[0].since) <= moment
        assert found[-1] == last_whole(every, now)
