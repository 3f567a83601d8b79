"""What a log does not cover: silences, clocks that were set back, entries that are incomplete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from chained_logging.review.filter import ANY, Filter
from chained_logging.review.period import Period, instant
from chained_logging.review.query import Engine, Scope

SILENCE: Final = dt.timedelta(hours=24)
"""Nothing was recorded for longer than this: a silence, by default."""
STEP: Final = dt.timedelta(seconds=2)
"""How far a time must lie before that of the entry before. Programs that write at once differ by
less."""
SHOWN: Final = 10
_ASKED: Final = 1000  # steps that are looked at

_HOURS: Final = """
SELECT substr(timestamp, 1, 13), result, count(*), min(timestamp), max(timestamp)
FROM found GROUP BY 1, 2 ORDER BY 1, 2
"""
_STEPS: Final = """
SELECT seq, earlier, timestamp
FROM (SELECT seq, timestamp, lag(timestamp) OVER (ORDER BY seq) AS earlier FROM found) AS pairs
WHERE substr(timestamp, 1, 19) < substr(earlier, 1, 19)
ORDER BY seq LIMIT :most
"""


class Hour(NamedTuple):
    """The entries of one hour with one result, and the times of the first and the last."""

    hour: str
    result: str
    entries: int
    first: str
    last: str


class Silence(NamedTuple):
    """A time in which nothing was recorded."""

    since: str
    until: str

    @property
    def length(self) -> dt.timedelta:
        """How long it is."""
        return instant(self.until) - instant(self.since)


class Step(NamedTuple):
    """An entry whose time lies before that of the entry before it: a clock was set back, or the
    event was recorded late."""

    seq: int
    earlier: str
    timestamp: str

    @property
    def length(self) -> dt.timedelta:
        """How far back it is."""
        return instant(self.earlier) - instant(self.timestamp)


@dataclass(frozen=True)
class Coverage:
    """What a period of a log does not say.

    :ivar incomplete: how many entries have a missing or invalid field.
    :ivar silences: the longest times without an entry, the longest first.
    :ivar steps: the farthest steps back in time, the farthest first.
    :ivar silence_count: how many such silences there are.
    :ivar step_count: how many such steps there are, of the first 1,000 candidates.
    """

    incomplete: int = 0
    silences: tuple[Silence, ...] = ()
    silence_count: int = 0
    steps: tuple[Step, ...] = ()
    step_count: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing of this was found."""
        return not (self.incomplete or self.silences or self.steps)


def hours(engine: Engine, wanted: Filter = ANY) -> list[Hour]:
    """Return how many entries a filter finds in each hour (in UTC), by their result."""
    return [Hour(*row) for row in engine.table(_HOURS, wanted).rows]


def coverage(
    engine: Engine,
    period: Period,
    found: Iterable[Hour],
    log: Scope,
    wanted: Filter = ANY,
    *,
    silence: dt.timedelta = SILENCE,
) -> Coverage:
    """Return what is not covered of a period.

    :param found: the hours of the period.
    :param log: how far the log reaches.
    :param silence: a longer time without an entry is named.
    """
    silences = [s for s in _silences(found, period, log[1:]) if s.length > silence]
    silences.sort(key=lambda one: (-one.length, one.since))
    asked = engine.table(_STEPS, period.within(wanted), {"most": _ASKED}).rows
    steps = [step for row in asked if (step := Step(*row)).length >= STEP]
    steps.sort(key=lambda one: (-one.length, one.seq))
    return Coverage(
        engine.count(period.within(wanted).narrowed(incomplete=True)),
        tuple(silences[:SHOWN]),
        len(silences),
        tuple(steps[:SHOWN]),
        len(steps),
    )


def _silences(
    found: Iterable[Hour], period: Period, log: tuple[str | None, str | None]
) -> Iterator[Silence]:
    """Yield the times between hours with entries, as far as the log reaches."""
    earliest, latest = log
    if earliest is None or latest is None or latest < period.since or earliest >= period.until:
        return
    start, end = max(period.since, earliest), min(period.until, latest)
    spans = sorted((hour.first, hour.last) for hour in found)
    reached = start
    for (_, last), (first, _) in pairwise([(start, start), *spans, (end, end)]):
        reached = max(reached, last)
        if first > reached:
            yield Silence(reached, first)
