"""Overviews of large logs, which take seconds to count, are kept for a while."""

from __future__ import annotations

import dataclasses
import threading
import time
from functools import partial
from typing import Final, NamedTuple

from chained_logging.review.due import configured, due
from chained_logging.review.overview import Overview, overview, with_readings
from chained_logging.review.period import Period
from chained_logging.review.query import Engine
from chained_logging.review.verdict import Verdict
from chained_logging.review.viewer.access import Access, NarrowedEngine
from chained_logging.review.viewer.counting import FEW, Counting

_SHARE: Final = 50  # a log is counted for at most a fiftieth of the time
_QUICK: Final = 0.1  # seconds within which it is counted each time
_LEAST: Final = 5.0  # seconds for which what was counted apart is kept
_KEPT: Final = 32


class Counted(NamedTuple):
    """An overview, and when it was counted, in seconds since 1970.

    :ivar found: the verdict, who read the log, and what is due are of now.
    """

    found: Overview
    at: float


class Overviews:
    """Overviews of one log, of the periods that were asked for last. Threads may share it.

    :param counting: counts what takes long.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[Counted, float]] = {}  # with until when it is kept

    def overview(
        self, engine: NarrowedEngine, access: Access, verdict: Verdict, period: Period
    ) -> Counted | None:
        """Return the overview of a period; None while it is being counted for the first time.

        :param engine: of what `access` may see.
        """
        key = (access.tenants, access.fields, period)
        kept, until = self._kept_for(key)
        if kept is None or time.monotonic() >= until:
            if self._is_small(engine):
                counted, took = _counted(engine, verdict, period)
                if took > _QUICK:
                    self._keep(key, counted, took)
                return Counted(_of_now(engine, access, counted.found, verdict), counted.at)
            self._counting.wait(key, partial(self._count, key, access, verdict, period))
            kept, _ = self._kept_for(key)
        if kept is None:
            return None
        found = with_readings(engine, kept.found)
        return Counted(_of_now(engine, access, found, verdict), kept.at)

    def _is_small(self, engine: NarrowedEngine) -> bool:
        newest = engine.entries(limit=1).entries
        return not newest or newest[0].seq < FEW

    def _count(
        self, key: object, access: Access, verdict: Verdict, period: Period, engine: Engine
    ) -> None:
        self._keep(key, *_counted(NarrowedEngine(engine.store, access), verdict, period))

    def _kept_for(self, key: object) -> tuple[Counted | None, float]:
        with self._lock:
            return self._kept.get(key, (None, 0.0))

    def _keep(self, key: object, counted: Counted, took: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (counted, time.monotonic() + max(_LEAST, _SHARE * took))
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]


def _counted(engine: Engine, verdict: Verdict, period: Period) -> tuple[Counted, float]:
    """Return an overview, and how many seconds it took."""
    began = time.monotonic()
    counted = Counted(overview(engine, verdict, period), time.time())
    return counted, time.monotonic() - began


def _of_now(engine: Engine, access: Access, found: Overview, verdict: Verdict) -> Overview:
    waiting = due(engine, configured()) if access.whole else None
    return dataclasses.replace(found, verdict=verdict, due=waiting)
