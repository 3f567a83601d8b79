"""The calendar, read back by a library."""

from __future__ import annotations

import datetime as dt

import pytest
from icalendar import Calendar

from chained_logging.review.reviews.calendar import calendar
from chained_logging.review.reviews.schedule import EVERY, Every

NOW = dt.datetime(2026, 3, 4, 15, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("every", EVERY)
def test_a_review_is_due_when_a_period_has_ended(every: Every) -> None:
    read = Calendar.from_ical(calendar("example.com/audit\r\nEVIL:1", every, NOW))
    (event,) = read.walk("VEVENT")
    due = {"week": "2026-03-09", "month": "2026-04-01", "quarter": "2026-04-01"}
    assert event["dtstart"].dt.isoformat() == due.get(every, "2027-01-01")
    assert event["rrule"]["FREQ"][0].lower().startswith(every[:4] if every != "quarter" else "mo")
    assert "EVIL" not in event
