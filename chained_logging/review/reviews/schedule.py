"""Periods of reviews: the last whole week, month, quarter or year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final, Literal, get_args

from chained_logging.event.values import timestamp_text
from chained_logging.review.period import Period, instant

Every = Literal["week", "month", "quarter", "year"]
EVERY: Final[tuple[Every, ...]] = get_args(Every)
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_WEEK: Final = dt.timedelta(days=7)


def last_whole(every: Every, now: dt.datetime) -> Period:
    """Return the last period of a kind that has ended, in UTC. A week begins on Monday.

    :param now: the time.
    """
    end = begin_of(every, now)
    return Period(timestamp_text(_before(every, end)), timestamp_text(end))


def begin_of(every: Every, moment: dt.datetime) -> dt.datetime:
    """Return the beginning of the period of a kind that holds a time."""
    day = moment.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "week":
        return day - dt.timedelta(days=day.weekday())
    months = _MONTHS[every]
    return day.replace(day=1, month=(day.month - 1) // months * months + 1)


def after(every: Every, begin: dt.datetime) -> dt.datetime:
    """Return the beginning of the next period."""
    if every == "week":
        return begin + _WEEK
    return begin_of(every, begin + dt.timedelta(days=32 * _MONTHS[every] - 1))


def ended(every: Every, since: str, now: dt.datetime) -> Iterator[Period]:
    """Yield the periods of a kind that have ended, from the one that holds a time on.

    :param since: a ``timestamp``.
    """
    begin = begin_of(every, instant(since))
    while (end := after(every, begin)) <= now:
        yield Period(timestamp_text(begin), timestamp_text(end))
        begin = end


def _before(every: Every, begin: dt.datetime) -> dt.datetime:
    return begin_of(every, begin - dt.timedelta(days=1))
