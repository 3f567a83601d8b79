"""Rounds until somebody says to stop: for ``alerts --follow``, and for a thread of a program."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from chained_logging.errors import FAILURES, Busy, ChainedLoggingError
from chained_logging.review.alerts.delivery.targets import open_targets
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.alerts.round import Outcome, Rounds
from chained_logging.review.detect.finding import Detector

INTERVAL: Final = 5.0
"""Seconds between two rounds."""


def follow(
    rounds: Rounds,
    ended: threading.Event,
    on_outcome: Callable[[Outcome], None],
    interval: float = INTERVAL,
) -> None:
    """Look at the log again and again. A round that fails is told of, and the next one tries again.

    :param ended: stops it.
    :param on_outcome: is called after each round.
    :param interval: seconds between two rounds.
    """
    while True:
        try:
            outcome = rounds.round()
        except Busy:
            outcome = Outcome()  # another process does the work, and we are there when it dies
        except (*FAILURES, ChainedLoggingError, ValueError) as error:
            outcome = Outcome(problems=[str(error)])
        on_outcome(outcome)
        if ended.wait(interval):
            return


class AlertThread:
    """A thread of a program that raises and delivers the alerts of its log.

    In a server with several processes, each may have one: they take turns, and nothing is raised
    twice.

    :param path: of the log.
    :param targets: as for ``chained-logging alerts --to``.
    :param detectors: what to look for; None for all that this package has.
    :param interval: seconds between two rounds.
    :raises ValueError: if a target cannot be used; see
        :func:`chained_logging.review.alerts.delivery.targets.open_targets`.

    >>> with AlertThread("audit.db", ["smtp://mail.example.com#from=log@example.com&to=…"]):
    ...     serve()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        targets: Sequence[str] = (),
        *,
        detectors: Sequence[Detector] | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._path = os.fspath(path)
        self._targets = open_targets(targets)
        self._detectors = detectors
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="chained_logging alerts", daemon=True
        )
        self._told: str | None = None
        self._logger = logging.getLogger("chained_logging")

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait for the end of its round."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        for target in self._targets:
            target.close()

    def _run(self) -> None:
        from chained_logging.review.detect.shipped import shipped

        while not self._ended.is_set():
            try:
                with Desk(self._path) as desk:
                    found = shipped() if self._detectors is None else self._detectors
                    rounds = desk.rounds(found, self._targets)
                    follow(rounds, self._ended, self._tell, self._interval)
            except (*FAILURES, ChainedLoggingError, ValueError) as error:
                self._tell(Outcome(problems=[str(error)]))
                self._ended.wait(self._interval)

    def _tell(self, outcome: Outcome) -> None:
        """Warn of a problem, once until there is another."""
        problem = "; ".join(outcome.problems) or None
        if problem != self._told and problem is not None:
            self._logger.warning("alerts of %s: %s", self._path, problem)
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
