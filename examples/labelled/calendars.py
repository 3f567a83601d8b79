"""Local days: where they begin in UTC, and which are holidays."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from labelled.chance import Chance

ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
HOLIDAYS = frozenset(
    dt.date.fromisoformat(day)
    for day in (
        *("2025-01-01", "2025-04-18", "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09"),
        *("2025-10-03", "2025-12-25", "2025-12-26", "2026-01-01", "2026-04-03", "2026-04-06"),
        *("2026-05-01", "2026-05-14", "2026-05-25", "2026-10-03", "2026-12-25", "2026-12-26"),
        *("2027-01-01", "2027-03-26", "2027-03-29"),
    )
)
"""Public holidays in all of Germany."""


def first_day(seed: int) -> dt.date:
    """Return the Monday on which the log of a seed begins, in 2025 or 2026."""
    return dt.date(2025, 1, 6) + dt.timedelta(weeks=Chance("begin", seed).whole(0, 90))


def moment(day: dt.date, hour: float) -> dt.datetime:
    """Return an hour of a local day, in UTC. The hour may be past 24, or below 0."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=ZONE)
    wall = midnight.replace(tzinfo=None) + dt.timedelta(hours=hour)
    return wall.replace(tzinfo=ZONE).astimezone(dt.UTC)


def is_free(day: dt.date) -> bool:
    """Whether an office is closed."""
    return day.weekday() >= 5 or day in HOLIDAYS
