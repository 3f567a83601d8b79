"""The standing watch: it verifies, looks around, and tells somebody once of what is wrong."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import FAILURES, Busy, ChainedLoggingError
from chained_logging.event.values import timestamp_text
from chained_logging.log import AuditLog
from chained_logging.review.alerts.alert import Alert
from chained_logging.review.alerts.delivery.target import Notification, Target, Undelivered
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.alerts.round import deliver
from chained_logging.review.detect.finding import Finding
from chained_logging.review.opening import is_url, open_log
from chained_logging.review.query import Engine
from chained_logging.review.reading import NotRecorded, why_unwritable
from chained_logging.review.verdict import Evidence
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.conditions import VERIFY, Limits, conditions
from chained_logging.review.watch.memory import Memory
from chained_logging.review.watch.places import Place, looked_at

_RECORDED: Final = 3_600.0
"""Seconds between two entries that say that the log was verified."""
_KEPT: Final = ("intact", "recorded")
"""Checks that hold until they are made again. The others are made in each round."""
_LEAST: Final = 1.0
"""Seconds between two verifications of all of a place, at least."""


class Watch:
    """Watches a log and the stores that hold copies of it.

    :param log: the path of the log.
    :param stores: URLs of central stores.
    :param origin: the name of the log in them; None for the log's own.
    :param budget: the share of a processor that verifying all of it, again and again, may take.
    :param targets: are told of what is wrong.
    :ivar checks: what was found last, by the name of the check and its subject.
    :ivar problems: what could not be told, in sentences.
    """

    def __init__(
        self,
        log: str,
        stores: Sequence[str] = (),
        *,
        origin: str | None = None,
        evidence: Evidence | None = None,
        limits: Limits | None = None,
        budget: float = 0.01,
        targets: Sequence[Target] = (),
    ) -> None:
        if not 0 < budget <= 1:
            raise ValueError("budget must be a share of a processor, above 0 and at most 1")
        self.log = Path(log)
        self._evidence = evidence or Evidence()
        self._limits = limits or Limits()
        self._budget = budget
        self._targets = targets
        memory = Memory(self.log)
        self.places = [
            Place(where, memory, origin=origin if is_url(where) else None, evidence=self._evidence)
            for where in (log, *stores)
        ]
        self.checks: dict[tuple[str, str], Check] = {}
        self._due = dict.fromkeys(range(len(self.places)), 0.0)
        self._recorded = 0.0
        self._told: set[tuple[str, str]] = set()
        self.problems: list[str] = []
        self._engine: Engine | None = None

    def round(self) -> list[Check]:
        """Look at what is due, tell of what is wrong, and return what was found."""
        found = [*self._verify(), *self._look_around()]
        kept = {key: check for key, check in self.checks.items() if check.name in _KEPT}
        self.checks = kept | {(check.name, check.subject): check for check in found}
        self._tell([check for check in self.checks.values() if check.ok is False])
        return found

    def _verify(self) -> Iterator[Check]:
        for number, place in enumerate(self.places):
            whole = time.monotonic() >= self._due[number]
            check = looked_at(place, whole=whole)
            if whole:
                rest = place.seconds / self._budget - place.seconds
                self._due[number] = time.monotonic() + max(rest, _LEAST)
                self._record(place, check)
            if check is not None:
                yield check

    def _record(self, place: Place, check: Check | None) -> None:
        """Have the log say that all of it was verified, now and then."""
        is_log = place is self.places[0]
        if not is_log or check is None or not check.ok or place.verified is None:
            return
        if self._recorded and time.monotonic() - self._recorded < _RECORDED:
            return
        about: dict[str, Any] = {
            "verified_seq": place.verified.seq,
            "verified_hash": place.verified.hash,
            "seconds": round(place.seconds, 3),
            "also": [other.name for other in self.places[1:] if other.verified is not None],
        }
        try:
            _note(self.log, about)
        except (*FAILURES, NotRecorded, ValueError) as error:
            said = f"that {self.log.name} was verified cannot be recorded: {error}"
            self.checks["recorded", self.log.name] = Check("recorded", self.log.name, None, said)
            return
        self.checks.pop(("recorded", self.log.name), None)
        self._recorded = time.monotonic()

    def _look_around(self) -> Iterator[Check]:
        try:
            keys = self._evidence.witness_keys
            yield from conditions(self.log, self._asked(), self._limits, witness_keys=keys)
        except (*FAILURES, ChainedLoggingError, ValueError) as error:
            self.close()  # the next round opens the log again
            said = f"{self.log.name} cannot be asked: {error}"
            yield Check("readable", self.log.name, None, said)

    def _asked(self) -> Engine:
        """Return what answers questions about the log. It stays open: to open one reads the log."""
        if self._engine is None:
            self._engine = open_log(str(self.log))
        else:
            self._engine.store.refresh()
        return self._engine

    def close(self) -> None:
        """Close what is open. The next round opens it again."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _tell(self, wrong: Sequence[Check]) -> None:
        """Raise an alert for each thing that is wrong, unless one is open."""
        now = timestamp_text(dt.datetime.now(dt.UTC))
        keys = {(check.name, check.subject) for check in wrong}
        self._told &= keys  # what is well again is told of when it fails once more
        new = [check for check in wrong if (check.name, check.subject) not in self._told]
        try:
            self._raise([check.finding(now) for check in new], now)
        except Busy:
            return  # the next round tries again
        self._told |= keys

    def _raise(self, findings: Sequence[Finding], now: str) -> None:
        """Record and deliver findings; those that a broken log cannot hold are delivered alone."""
        if not findings and not self._targets:
            self.problems = []
            return
        try:
            with Desk(str(self.log)) as desk:
                self.problems = desk.rounds([], self._targets).take(findings).problems
        except Busy:
            raise
        except (*FAILURES, ChainedLoggingError, ValueError) as error:
            self.problems = [f"alerts of {self.log.name} cannot be recorded: {error}"]
            for finding in findings:
                self._deliver(Notification(Alert(-1, "", now, finding), self.log.name))

    def _deliver(self, notification: Notification) -> None:
        for target in self._targets:
            try:
                deliver(target, notification)
            except Undelivered as error:
                self.problems.append(f"an alert did not reach {target.name}: {error}")


def _note(path: Path, about: dict[str, Any]) -> None:
    why = why_unwritable(str(path))
    if why is not None:
        raise NotRecorded(why)
    with AuditLog(path, on_failure="raise", sign="follow") as log:
        log.note(VERIFY, **about)
