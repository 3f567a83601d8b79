"""Counts of what filters find, kept: what is appended since is counted, and added."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from chained_logging.review.filter import Filter
from chained_logging.review.query import Engine
from chained_logging.review.viewer.access import Access, NarrowedEngine

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
    """Tallies of one log, of the filters that were asked for last. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[object, _Kept] = {}

    def tally(
        self, engine: NarrowedEngine, access: Access, wanted: Filter, columns: Sequence[str]
    ) -> Tally:
        """Return the tally of what a filter finds now.

        :param engine: of what `access` may see.
        :param columns: those of the facets; what may not be seen is left out.
        """
        newest = engine.entries(limit=1).entries
        if not newest:
            return _counted(engine, wanted, columns)
        seq = newest[0].seq
        key = (access.tenants, access.fields, str(wanted), tuple(columns))
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept is not None and _is_there(engine, kept):
            tally = kept.tally
            if kept.seq < seq:
                tally = tally.plus(_counted(engine, _between(wanted, kept.seq + 1, seq), columns))
        else:
            tally = _counted(engine, _between(wanted, 0, seq), columns)
        with self._lock:
            self._kept[key] = _Kept(seq, newest[0].hash, tally)
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return tally


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
