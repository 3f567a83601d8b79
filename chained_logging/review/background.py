"""A thread of a program that works for its log, for as long as the program runs."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Self


class BackgroundThread:
    """A thread that does its work again and again, until it is stopped.

    Nothing that it meets reaches the program: a problem is a warning of the logger
    ``chained_logging``, once until there is another, and the next round tries again.

    :param work: what it does, in a word.
    :param log: its path.
    :ivar problem: what went wrong in the last round; None if nothing did.
    """

    def __init__(self, work: str, log: str | os.PathLike[str]) -> None:
        self.problem: str | None = None
        self._about = f"{work} of {os.fspath(log)}"
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"chained_logging {work}", daemon=True
        )
        self._logger = logging.getLogger("chained_logging")

    def _run(self) -> None:
        """Work until ``_ended`` is set."""
        raise NotImplementedError

    def _tell(self, problem: str) -> None:
        """Warn of a problem, once until there is another. An empty text ends it."""
        found = problem or None
        if found is not None and found != self.problem:
            self._logger.warning("%s: %s", self._about, found)
        self.problem = found

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """End it, and wait for the end of its round.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        if self._thread.is_alive():
            self._tell("its last round did not end in time")

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
