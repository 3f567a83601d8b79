"""What takes long to count is counted apart from the requests, which wait for it only a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

from chained_logging.review.query import Engine

FEW: Final = 20_000
"""So many entries are counted at once, within a tenth of a second."""
PATIENCE: Final = 0.15
"""Seconds that a page waits. Then it is shown without what is being counted."""
_MOST: Final = 16  # counts that wait at once

Count = Callable[[Engine], None]
"""Counts, by an engine of its own, and keeps what it finds."""


class _Run:
    """A count under way.

    :ivar problem: what kept it from ending well.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.began = time.monotonic()
        self.problem: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as problem:  # for the page that asked
            self.problem = problem

    def ended(self, patience: float) -> bool:
        """Whether it has ended. A page waits for it once, however often it is loaded."""
        self._thread.join(max(0.0, self.began + patience - time.monotonic()))
        return not self._thread.is_alive()


class Counting:
    """Counts of one log, one at a time. Threads may share it.

    :param open_engine: opens the log once more.
    """

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open = open_engine
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._runs: dict[object, _Run] = {}

    def wait(self, key: object, count: Count) -> bool:
        """Have something counted, unless it is being counted, and wait for a moment.

        :param key: what is counted.
        :returns: whether it is counted now.
        :raises Exception: what was raised while it was counted.
        """
        with self._lock:
            run = self._runs.get(key)
            if run is None:
                if len(self._runs) >= _MOST and not self._cleared():
                    return False
                run = self._runs[key] = _Run(lambda: self._in_turn(count))
        if not run.ended(PATIENCE):
            return False
        with self._lock:
            self._runs.pop(key, None)
        if run.problem is not None:
            raise run.problem
        return True

    def _cleared(self) -> bool:
        """Forget counts that have ended and that nobody asked for again."""
        for key in [key for key, run in self._runs.items() if run.ended(0.0)]:
            del self._runs[key]
        return len(self._runs) < _MOST

    def _in_turn(self, count: Count) -> None:
        with self._turn, closing(self._open()) as engine:
            count(engine)
