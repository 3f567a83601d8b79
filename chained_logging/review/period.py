"""The period that somebody looks at, and the one before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chained_logging.event.values import timestamp_text
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken

_DAY: Final = dt.timedelta(days=1)
_MIDNIGHT: Final = "T00:00:00.000000Z"


@dataclass(frozen=True)
class Period:
    """A time from a first instant on, and before a last one.

    :ivar since: the first instant, in the form of an entry's ``timestamp``.
    :ivar until: the first instant that is too late, in the same form.
    :raises ValueError: if it ends before it begins.
    """

    since: str
    until: str

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise ValueError("a period must end after it begins")

    @classmethod
    def ending(cls, last: dt.datetime, days: int = 30) -> Period:
        """Return so many days in UTC, of which the last one holds an instant."""
        midnight = dt.datetime.combine(last.astimezone(dt.UTC).date(), dt.time(), dt.UTC) + _DAY
        return cls(timestamp_text(midnight - days * _DAY), timestamp_text(midnight))

    def __str__(self) -> str:
        """Return the first and the last day, or both instants where they are not midnights."""
        if not self.since.endswith(_MIDNIGHT) or not self.until.endswith(_MIDNIGHT):
            return f"{spoken(self.since)} to {spoken(self.until)}"
        last = instant(self.until).date() - _DAY
        return f"{self.since[:10]} to {last.isoformat()}"

    def before(self) -> Period:
        """Return the period of the same length that ends where this one begins."""
        length = instant(self.until) - instant(self.since)
        return Period(timestamp_text(instant(self.since) - length), self.since)

    def within(self, wanted: Filter = ANY) -> Filter:
        """Return a filter, narrowed to this period."""
        return wanted.narrowed(
            since=max(self.since, wanted.since or self.since),
            until=min(self.until, wanted.until or self.until),
        )

    def days(self) -> Iterator[str]:
        """Yield each day (in UTC) that the period touches: ``2026-10-01``."""
        day = instant(self.since).date()
        while f"{day}{_MIDNIGHT}" < self.until:
            yield day.isoformat()
            day += _DAY


def instant(timestamp: str) -> dt.datetime:
    """Return the instant that an entry's ``timestamp`` says.

    :raises ValueError: if it is not one.
    """
    return dt.datetime.fromisoformat(timestamp)
