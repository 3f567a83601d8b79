"""Reviews as events of a calendar (iCalendar, RFC 5545)."""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.review.reviews.schedule import Every, after, begin_of

_RULES: Final = {
    "week": {"freq": "weekly"},
    "month": {"freq": "monthly"},
    "quarter": {"freq": "monthly", "interval": 3},
    "year": {"freq": "yearly"},
}


def calendar(origin: str, every: Every, now: dt.datetime) -> bytes:
    """Return a calendar with a repeating event: a review is due at the end of each period.

    :param origin: the name of the log.
    :param now: the time.
    :raises ImportError: if ``icalendar`` is not installed.
    """
    try:
        from icalendar import Calendar, Event
    except ImportError:
        raise ImportError("a calendar needs pip install 'chained_logging[calendar]'") from None
    due = after(every, begin_of(every, now))
    event = Event()
    event.add("uid", f"review-{every}@{origin.replace('/', '.')}")
    event.add("dtstamp", now)
    event.add("dtstart", due.date())
    event.add("rrule", _RULES[every])
    event.add("summary", f"Review the audit log {origin}")
    event.add("description", f"chained-logging review start LOG --period {every}")
    made = Calendar()
    made.add("prodid", "-//chained_logging//reviews//EN")
    made.add("version", "2.0")
    made.add_component(event)
    return bytes(made.to_ical())
