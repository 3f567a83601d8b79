"""Counts of what filters find, kept: what is appended since is counted, and added."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from chained_logging.review.filter import Filter
from chained_logging.review.query import Engine
from chained_logging.review.viewer.access import Access, NarrowedEngine
from chained_logging.review.viewer.counting import FEW, Counting

SHOWN: Final = 10
"""How many values of a column are shown."""
_KEPT: Final = 64  # filters
_VALUES: Final = 100_000  # of a column

Days = dict[str, dict[str, int]]


class Tally(NamedTuple):
    """How many entries a filter finds, by what.

    :ivar facets: by column, how many entries have each value.
    :ivar days: by day (in UTC) and result.
    """

    facets: dict[str, Counter[Any]]
    days: Days

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return sum(sum(results.values()) for results in self.days.values())

    def most(self, column: str) -> list[tuple[Any, int]]:
        """Return the most frequent values of a column, each with how many entries have it."""
        found = self.facets[column].items()
        return sorted(found, key=lambda one: (-one[1], one[0]))[:SHOWN]

    def plus(self, other: Tally) -> Tally:
        """Return the tally of the entries of both."""
        facets = {column: found + other.facets[column] for column, found in self.facets.items()}
        days = {day: dict(results) for day, results in self.days.items()}
        for day, results in other.days.items():
            both = days.setdefault(day, {})
            for result, count in results.items():
                both[result] = both.get(result, 0) + count
        return Tally(facets, dict(sorted(days.items())))


class _Kept(NamedTuple):
    """A tally of the entries up to one, which is known by its number and its hash."""

    seq: int
    hash: str | None
    tally: Tally


class Tallies:
    """Tallies of one log, of the filters that were asked for last. Threads may share it.

    :param counting: counts what takes long.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._lock = threading.Lock()
        self._kept: dict[object, _Kept] = {}

    def tally(
        self,
        engine: NarrowedEngine,
        access: Access,
        wanted: Filter,
        columns: Sequence[str],
        *,
        few: bool = False,
    ) -> Tally | None:
        """Return the tally of what a filter finds now; None while it is being counted.

        :param engine: of what `access` may see.
        :param columns: those of the facets; what may not be seen is left out.
        :param few: whether a page has all that the filter finds, so that it is counted at once.
        """
        key = (access.tenants, access.fields, str(wanted), tuple(columns))
        kept = self._valid(engine, key)
        newest = engine.entries(limit=1).entries
        if not few and newest and newest[0].seq - (kept.seq if kept else 0) > FEW:
            count = partial(self._count_apart, key, access, wanted, columns)
            if not self._counting.wait(key, count):
                return None
            kept = self._valid(engine, key)
        return self._count(key, wanted, columns, kept, engine)

    def _count_apart(
        self, key: object, access: Access, wanted: Filter, columns: Sequence[str], whole: Engine
    ) -> None:
        engine = NarrowedEngine(whole.store, access)
        self._count(key, wanted, columns, self._valid(engine, key), engine)

    def _count(
        self,
        key: object,
        wanted: Filter,
        columns: Sequence[str],
        kept: _Kept | None,
        engine: NarrowedEngine,
    ) -> Tally:
        """Count what was appended since something was kept, and keep both."""
        newest = engine.entries(limit=1).entries
        if not newest:
            return _counted(engine, wanted, columns)
        seq, first = newest[0].seq, 0 if kept is None else kept.seq + 1
        tally = None if kept is None else kept.tally
        if tally is None or first <= seq:
            later = _counted(engine, _between(wanted, first, seq), columns)
            tally = later if tally is None else tally.plus(later)
        self._keep(key, _Kept(max(seq, first - 1), newest[0].hash, tally))
        return tally

    def _valid(self, engine: NarrowedEngine, key: object) -> _Kept | None:
        """Return what is kept, if the log is still the one that was counted."""
        with self._lock:
            kept = self._kept.get(key)
        return kept if kept is not None and _is_there(engine, kept) else None

    def _keep(self, key: object, found: _Kept) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]


def _is_there(engine: Engine, kept: _Kept) -> bool:
    """Whether the log still has the entry that was the newest: nobody put another in its place."""
    found = engine.entries(Filter(first_seq=kept.seq, last_seq=kept.seq), limit=1).entries
    return bool(found) and found[0].hash == kept.hash


def _between(wanted: Filter, first: int, last: int) -> Filter:
    return wanted.narrowed(
        first_seq=max(first, wanted.first_seq or 0) or None,
        last_seq=last if wanted.last_seq is None else min(last, wanted.last_seq),
    )


def _counted(engine: Engine, wanted: Filter, columns: Sequence[str]) -> Tally:
    found = engine.facets(wanted, columns=columns, limit=_VALUES)
    facets = {column: Counter(dict(values)) for column, values in found.items()}
    return Tally(facets, engine.histogram(wanted))
