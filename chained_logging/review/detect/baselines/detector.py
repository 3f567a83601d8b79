"""All baselines over one reading of a log, and what they remember of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from chained_logging.format.record import Record
from chained_logging.review.detect.baselines.baseline import Baseline
from chained_logging.review.detect.baselines.break_glass import BreakGlass
from chained_logging.review.detect.baselines.calendar import Calendar
from chained_logging.review.detect.baselines.chain import Chain
from chained_logging.review.detect.baselines.dormant import Dormant
from chained_logging.review.detect.baselines.event import event
from chained_logging.review.detect.baselines.guessing import Guessing
from chained_logging.review.detect.baselines.hours import Hours
from chained_logging.review.detect.baselines.impersonation import Impersonation
from chained_logging.review.detect.baselines.incomplete import Incomplete
from chained_logging.review.detect.baselines.memory import Memory, Remembered
from chained_logging.review.detect.baselines.newness import Newness
from chained_logging.review.detect.baselines.privileges import Privileges
from chained_logging.review.detect.baselines.services import Services
from chained_logging.review.detect.baselines.sharing import Sharing
from chained_logging.review.detect.baselines.silence import Silence
from chained_logging.review.detect.baselines.strangers import Strangers
from chained_logging.review.detect.baselines.volume import Volume
from chained_logging.review.detect.finding import Finding
from chained_logging.review.detect.reading import Entry, entries, parsed
from chained_logging.review.query import Engine

ALL: Final[tuple[Callable[[dict[str, Any]], Baseline], ...]] = (
    *(Volume, Strangers, Hours, Newness, Dormant, Privileges, Impersonation, BreakGlass),
    *(Silence, Guessing, Sharing, Services, Incomplete, Chain),
)
"""The baselines, in the order in which they see an entry."""


STEP: Final = 5_000
"""Entries after which what is remembered is kept again: the file may be large. A new process reads
so many again, at most."""


class Watching:
    """The baselines at one place of a log.

    :param calendar: the local time.
    :param states: what they remember, by their names; empty at the beginning of a log.
    """

    def __init__(self, calendar: Calendar, states: dict[str, dict[str, Any]]) -> None:
        self.states = states
        self._calendar = calendar
        self._see = [_made(kind, states).see for kind in ALL]

    def see(self, entry: Entry) -> list[Finding]:
        """Take in the next entry, and return what is found with it.

        An entry that has not the form of one is for ``verify`` to report, and left out.
        """
        try:
            seen = event(entry, self._calendar)
        except (ValueError, KeyError, TypeError, AttributeError):
            return []
        found: list[Finding] = []
        for see in self._see:
            found += see(seen)
        return found


def _made(
    kind: Callable[[dict[str, Any]], Baseline], states: dict[str, dict[str, Any]]
) -> Baseline:
    made = kind({})
    return kind(states.setdefault(made.name, {}))


class Baselines:
    """The detector of what is unusual, as ``review.detect.finding`` describes detectors.

    What it remembers is kept beside the index of the log, so that only what is new is read. An
    object that looks at one log again and again goes on where it ended.

    :param zone: of the people whose work is logged, such as ``Europe/Berlin``.
    :param holidays: days on which they do not work.
    :param kept: whether to keep what is remembered, for the next time.
    :raises ValueError: if there is no such zone.

    :ivar calendar: what tells the local time.
    """

    name = "baselines"

    def __init__(
        self, zone: str = "UTC", holidays: Collection[dt.date] = (), *, kept: bool = True
    ) -> None:
        self.calendar = Calendar(zone, holidays)
        self._kept = kept
        self._ended: tuple[str, Remembered] | None = None
        self._in_file = -1

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        """Yield what is found in the entries with ``after < seq <= upto``.

        :raises OSError: if the log cannot be read; also LogError.
        """
        memory = Memory(log, self.calendar.name if self._kept else None)
        begun = self._begun(log, memory, after)
        watching = Watching(self.calendar, begun.states)
        last = None
        for entry in entries(log, begun.seq, upto):
            found = watching.see(entry)
            if found and entry.seq > after:
                yield from found
            last = entry
        now = Remembered(last.seq, last.hash, watching.states) if last else begun
        if now.seq - self._in_file >= STEP:
            memory.keep(now)
            self._in_file = now.seq
        self._ended = log.store.name, now

    def _begun(self, log: Engine, memory: Memory, after: int) -> Remembered:
        """Return what is remembered at a place that is not after another one."""
        ended, self._ended = self._ended, None  # until all is read
        if ended is not None and ended[0] == log.store.name and memory.fits(ended[1], after):
            return ended[1]
        found = memory.recall(after)
        self._in_file = found.seq
        return found


def watched(records: Iterable[Record], calendar: Calendar) -> Iterator[Finding]:
    """Yield what the baselines find in entries that are read from the first one on."""
    watching = Watching(calendar, {})
    for record in records:
        try:
            entry = parsed(record.body, record.hash)
        except ValueError:  # that is for ``verify`` to report
            continue
        yield from watching.see(entry)
