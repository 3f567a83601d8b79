"""Entries over time as bars, to be drawn as SVG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

RESULTS: Final = ("success", "failure", "denied", "other")
"""The parts of a bar, from the bottom to the top."""
WIDTH: Final = 720
HEIGHT: Final = 120
_MOST: Final = 62  # bars
_LAST: Final = dt.date(9990, 1, 1)  # a clock that is so wrong has no calendar
_GAP: Final = 0.2  # of a bar's place

Days = Mapping[str, Mapping[str, int]]


class Part(NamedTuple):
    """A part of a bar: a result, and where it is drawn."""

    result: str
    y: float
    height: float


class Bar(NamedTuple):
    """A day, a week or a month.

    :ivar label: its first day, or the month.
    :ivar until: the first day after it.
    :ivar counts: entries by result, of :data:`RESULTS`.
    """

    label: str
    since: str
    until: str
    counts: dict[str, int]
    x: float
    width: float
    parts: tuple[Part, ...]

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(self.counts.values())


class Chart(NamedTuple):
    """Bars of one unit: ``day``, ``week`` or ``month``.

    :ivar highest: how many entries the highest bar has.
    :ivar results: those that occur.
    :ivar left_out: entries from so long before that they are not drawn, or from too far ahead.
    """

    unit: str
    bars: tuple[Bar, ...]
    highest: int
    results: tuple[str, ...]
    left_out: int = 0
    width: int = WIDTH
    height: int = HEIGHT


def chart(days: Days) -> Chart:
    """Return entries by day as bars: of weeks or months, where there are many days.

    :param days: entries by day and result. Days between them that are missing have no entry.
    """
    if not days:
        return Chart("day", (), 0, ())
    last = min(dt.date.fromisoformat(max(days)), _LAST)
    unit, starts = _starts(dt.date.fromisoformat(min(days)), last)
    counts = _counts(days, _FIRST[unit])
    drawn = {start.isoformat() for start in starts[:-1]}
    left_out = sum(sum(each.values()) for start, each in counts.items() if start not in drawn)
    counts = {start: counts[start] for start in counts if start in drawn}
    highest = max((sum(each.values()) for each in counts.values()), default=0)
    place = WIDTH / max(len(starts) - 1, 7)
    bars = [
        _bar(unit, start, end, counts.get(start.isoformat(), {}), number * place, place, highest)
        for number, (start, end) in enumerate(pairwise(starts))
    ]
    there = {result for each in counts.values() for result, count in each.items() if count}
    results = tuple(each for each in RESULTS if each in there)
    return Chart(unit, tuple(bars), highest, results, left_out)


def _bar(
    unit: str,
    start: dt.date,
    end: dt.date,
    counts: dict[str, int],
    x: float,
    place: float,
    highest: int,
) -> Bar:
    parts, y = [], float(HEIGHT)
    for result in RESULTS:
        if counts.get(result):
            height = max(1.0, counts[result] / highest * HEIGHT)
            y -= height
            parts.append(Part(result, round(y, 2), round(height, 2)))
    label = start.isoformat()[: 7 if unit == "month" else 10]
    since, until = start.isoformat(), end.isoformat()
    gap = place * _GAP
    return Bar(
        label, since, until, counts, round(x + gap / 2, 2), round(place - gap, 2), tuple(parts)
    )


def _counts(days: Days, first: Callable[[dt.date], dt.date]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for day, results in days.items():
        each = counts.setdefault(first(dt.date.fromisoformat(day)).isoformat(), {})
        for result, count in results.items():
            result = result if result in RESULTS else "other"
            each[result] = each.get(result, 0) + count
    return counts


_FIRST: Final[Mapping[str, Callable[[dt.date], dt.date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - dt.timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
_NEXT: Final[Mapping[str, Callable[[dt.date], dt.date]]] = {
    "day": lambda day: day + dt.timedelta(days=1),
    "week": lambda day: day + dt.timedelta(days=7),
    "month": lambda day: (day + dt.timedelta(days=31)).replace(day=1),
    "year": lambda day: (day + dt.timedelta(days=366)).replace(day=1),
}


def _starts(first: dt.date, last: dt.date) -> tuple[str, list[dt.date]]:
    """Return the smallest unit with few enough bars, and where each bar and the end lie."""
    for unit, step in _NEXT.items():
        starts = [_FIRST[unit](first)]
        while starts[-1] <= last and len(starts) <= _MOST + 1:
            starts.append(step(starts[-1]))
        if starts[-1] > last:
            return unit, starts
    return "year", [dt.date(year, 1, 1) for year in range(last.year - _MOST + 1, last.year + 2)]
