"""A watch in a thread of a program."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Final, Self

from chained_logging.review.watch.watch import Watch

INTERVAL: Final = 5.0
"""Seconds between two rounds."""


class WatchThread:
    """A thread of a program that watches over its log.

    Nothing that it meets reaches the program: what cannot be told is a warning of the logger
    ``chained_logging``, once until it is something else, and the next round tries again.

    :param watch: what it does. Nobody else may call its rounds meanwhile.
    :param interval: seconds between two rounds.

    >>> with WatchThread(Watch("audit.db")):
    ...     serve()
    """

    def __init__(self, watch: Watch, *, interval: float = INTERVAL) -> None:
        self._watch = watch
        self._interval = interval
        self._ended = threading.Event()
        self._told: str | None = None
        self._logger = logging.getLogger("chained_logging")
        self._thread = threading.Thread(target=self._run, name="chained_logging watch", daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait for the end of its round."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._watch.round()
                self._tell("; ".join(self._watch.problems))
            except Exception as error:  # in a thread: nobody else would tell of it
                self._tell(str(error) or repr(error))
            if self._ended.wait(self._interval):
                self._watch.close()
                return

    def _tell(self, problem: str) -> None:
        if problem and problem != self._told:
            self._logger.warning("watch of %s: %s", self._watch.log, problem)
        self._told = problem

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
