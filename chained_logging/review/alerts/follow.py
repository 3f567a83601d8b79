"""Rounds until somebody says to stop: for ``alerts --follow``, and for a thread of a program."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Final

from chained_logging import config
from chained_logging.errors import FAILURES, Busy, ChainedLoggingError
from chained_logging.review.alerts.delivery.targets import open_targets
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.alerts.round import Outcome, Rounds
from chained_logging.review.background import BackgroundThread
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


class AlertThread(BackgroundThread):
    """A thread of a program that raises and delivers the alerts of its log.

    In a server with several processes, each may have one: they take turns, and nothing is raised
    twice.

    Nothing that it meets reaches the program: a problem is a warning of the logger
    ``chained_logging``, once until there is another, and the next round tries again.

    :param path: of the log.
    :param targets: as for ``chained-logging alerts --to``; None for those that are configured.
    :param detectors: what to look for; None for all that this package has.
    :param interval: seconds between two rounds.
    :ivar problem: what went wrong in the last round; None if nothing did.
    :raises ValueError: if a target cannot be used; see
        :func:`chained_logging.review.alerts.delivery.targets.open_targets`.
    :raises ConfigError: if the configuration cannot be read.

    >>> with AlertThread("audit.db", ["smtp://mail.example.com#from=log@example.com&to=…"]):
    ...     serve()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        targets: Sequence[str] | None = None,
        *,
        detectors: Sequence[Detector] | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._path = os.fspath(path)
        super().__init__("alerts", self._path)
        self._targets = open_targets(
            config.alerting().get("to", ()) if targets is None else targets
        )
        self._detectors = detectors
        self._interval = interval

    def stop(self, timeout: float | None = None) -> None:
        """End it, and wait for the end of its round.

        :param timeout: seconds to wait at most; None waits for as long as it takes.
        """
        super().stop(timeout)
        for target in self._targets:
            target.close()

    def _run(self) -> None:
        from chained_logging.review.detect.shipped import shipped

        while not self._ended.is_set():
            try:
                with Desk(self._path) as desk:
                    if desk.why_not is not None:
                        self._logger.warning("alerts are not recorded: %s", desk.why_not)
                    found = shipped() if self._detectors is None else self._detectors
                    rounds = desk.rounds(found, self._targets)
                    follow(rounds, self._ended, self._told, self._interval)
            except Exception as error:  # in a thread: nobody else would tell of it
                self._tell(str(error) or repr(error))
                self._ended.wait(self._interval)

    def _told(self, outcome: Outcome) -> None:
        self._tell("; ".join(outcome.problems))
