"""Overviews of large logs, which take seconds to count, are kept for a while."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Final, NamedTuple

from chained_logging.review.due import due
from chained_logging.review.overview import Overview, overview, with_readings
from chained_logging.review.period import Period
from chained_logging.review.verdict import Verdict
from chained_logging.review.viewer.access import Access, NarrowedEngine

_SHARE: Final = 50  # a log is counted for at most a fiftieth of the time
_QUICK: Final = 0.1  # seconds within which it is counted each time
_KEPT: Final = 32


class Counted(NamedTuple):
    """An overview, and when it was counted, in seconds since 1970.

    :ivar found: the verdict, who read the log, and what is due are of now.
    """

    found: Overview
    at: float


class Overviews:
    """Overviews of one log, of the periods that were asked for last. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[Counted, float]] = {}  # with until when it is kept

    def overview(
        self, engine: NarrowedEngine, access: Access, verdict: Verdict, period: Period
    ) -> Counted:
        """Return the overview of a period.

        :param engine: of what `access` may see.
        """
        key = (access.tenants, access.fields, period)
        with self._lock:
            kept, until = self._kept.get(key, (None, 0.0))
        if kept is not None and time.monotonic() < until:
            found = with_readings(engine, kept.found)
            return Counted(_of_now(engine, found, verdict), kept.at)
        began = time.monotonic()
        counted = Counted(overview(engine, verdict, period), time.time())
        took = time.monotonic() - began
        if took > _QUICK:
            with self._lock:
                self._kept[key] = (counted, time.monotonic() + _SHARE * took)
                while len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
        return Counted(_of_now(engine, counted.found, verdict), counted.at)


def _of_now(engine: NarrowedEngine, found: Overview, verdict: Verdict) -> Overview:
    return dataclasses.replace(found, verdict=verdict, due=due(engine))
