"""Times as people write them are the instants that they mean."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from chained_logging.review.moments import moment, spoken, spoken_length

NOW = dt.datetime(2026, 11, 28, 12, 30, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("30d", "2026-10-29T12:30:00Z"),
        ("90m", "2026-11-28T11:00:00Z"),
        ("1 y", "2025-11-28T12:30:00Z"),
        ("now", "2026-11-28T12:30:00Z"),
        ("today", "2026-11-27T23:00:00Z"),
        ("yesterday", "2026-11-26T23:00:00Z"),
        ("2026-10-01", "2026-09-30T22:00:00Z"),  # summer time
        ("2026-11-01", "2026-10-31T23:00:00Z"),
        ("2026-11-01Z", "2026-11-01T00:00:00Z"),
        ("2026-11-01T09:30", "2026-11-01T08:30:00Z"),
        ("2026-11-01T09:30Z", "2026-11-01T09:30:00Z"),
        ("2026-11-01 09:30:01.5-05:00", "2026-11-01T14:30:01.500000Z"),
        ("2026-11-01[America/New_York]", "2026-11-01T04:00:00Z"),
    ],
)
def test_a_time_is_the_instant_that_a_person_means(text: str, instant: str) -> None:
    assert spoken(moment(text, now=NOW)) == instant


def test_an_hour_that_occurs_twice_leaves_nothing_out() -> None:
    assert spoken(moment("2026-10-25T02:30")) == "2026-10-25T00:30:00Z"
    assert spoken(moment("2026-10-25T02:30", latest=True)) == "2026-10-25T01:30:00Z"


@pytest.mark.parametrize(
    "text",
    ["", "30", "d", "30x", "tomorrow", "2026-13-01", "2026-01-01[No/Where]", "9999999y", "\x1b[2J"],
)
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a date") as refused:
        moment(text)
    assert "\x1b" not in str(refused.value)


def test_a_length_is_said_in_its_two_largest_units() -> None:
    assert spoken_length(dt.timedelta(days=3, hours=1, minutes=2)) == "3 days 1 hour"
    assert spoken_length(dt.timedelta(0)) == "0 seconds"
