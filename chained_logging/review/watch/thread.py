"""A watch in a thread of a program."""

from __future__ import annotations

from typing import Final

from chained_logging.review.background import BackgroundThread
from chained_logging.review.watch.watch import Watch

INTERVAL: Final = 5.0
"""Seconds between two rounds."""


class WatchThread(BackgroundThread):
    """A thread of a program that watches over its log.

    Nothing that it meets reaches the program: what cannot be told is a warning of the logger
    ``chained_logging``, once until it is something else, and the next round tries again.

    :param watch: what it does. Nobody else may call its rounds meanwhile.
    :param interval: seconds between two rounds.

    >>> with WatchThread(Watch("audit.db")):
    ...     serve()
    """

    def __init__(self, watch: Watch, *, interval: float = INTERVAL) -> None:
        super().__init__("watch", watch.log)
        self._watch = watch
        self._interval = interval

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
