"""One round: look at what is new, raise what is found, and deliver what was raised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chained_logging.errors import FAILURES, ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import EMPTY, Head
from chained_logging.review.alerts.alert import DELIVER, RAISE, UNDELIVERED, Alert, context_of
from chained_logging.review.alerts.book import Book
from chained_logging.review.alerts.delivery.target import Notification, Target, Undelivered
from chained_logging.review.alerts.position import Positions
from chained_logging.review.detect.finding import SEVERITIES, Detector, Finding, Severity
from chained_logging.review.filter import ANY
from chained_logging.review.query import Engine

TRY_FOR: Final = dt.timedelta(days=7)
"""How long after an alert was raised its delivery is tried."""

_GIVE_UP: Final = 3
"""Alerts in a round that do not reach a target, before the others wait for the next round."""

Write = Callable[..., AuditEntry]
"""Appends an entry of the log's own: :meth:`chained_logging.AuditLog.note`."""


@dataclass
class Outcome:
    """What a round did.

    :ivar raised: the new alerts.
    :ivar joined: findings that belong to an alert that was raised before.
    :ivar suppressed: findings that somebody decided not to be told of.
    :ivar problems: what could not be done, in sentences.
    """

    raised: list[Alert] = field(default_factory=list)
    joined: int = 0
    suppressed: int = 0
    problems: list[str] = field(default_factory=list)


class Rounds:
    """Looks at a log again and again.

    :param log: the log that detectors look at.
    :param book: what was raised so far.
    :param memory: the engine of the log that holds the alerts: `log`, or another one.
    :param note: appends to that log; None if it cannot be written to. Then nothing is remembered.
    :param about: further context of each entry, such as the name of the log that is looked at.
    :param least: findings that are less severe are left out.
    """

    def __init__(
        self,
        log: Engine,
        detectors: Sequence[Detector],
        targets: Sequence[Target],
        positions: Positions,
        book: Book,
        *,
        origin: str,
        memory: Engine | None = None,
        note: Write | None = None,
        about: dict[str, Any] | None = None,
        least: Severity = "low",
    ) -> None:
        self._log = log
        self._detectors = detectors
        self._targets = targets
        self._positions = positions
        self.book = book
        self._origin = origin
        self._memory = memory or log
        self._note = note
        self._about = about or {}
        self._shown = SEVERITIES[SEVERITIES.index(least) :]

    def round(self, now: dt.datetime | None = None) -> Outcome:
        """Look at what was appended since the last round.

        :param now: the time; None for the clock's.
        :raises Busy: if another process raises alerts of this log.
        :raises OSError: if the log cannot be read, or the alerts cannot be written; also LogError.
        """
        now = now or dt.datetime.now(dt.UTC)
        with self._positions.alone():
            self._log.store.refresh()
            if self._memory is not self._log:
                self._memory.store.refresh()
            self.book.read(self._memory)
            outcome = Outcome()
            self._detect(outcome, now)
            self._deliver(outcome, now)
        return outcome

    def take(self, findings: Iterable[Finding], now: dt.datetime | None = None) -> Outcome:
        """Raise what somebody else found, unless an alert about it is open, and deliver.

        :raises Busy: if another process raises alerts of this log.
        :raises OSError: as :meth:`round`; also LogError.
        """
        now = now or dt.datetime.now(dt.UTC)
        outcome = Outcome()
        with self._positions.alone():
            self.book.read(self._memory)
            for finding in findings:
                if self.book.standing(finding) is not None:
                    outcome.joined += 1
                else:
                    self._take(finding, outcome, now)
            self._deliver(outcome, now)
        return outcome

    def _detect(self, outcome: Outcome, now: dt.datetime) -> None:
        head, positions = _head(self._log), self._positions.read()
        before = dict(positions)
        for detector in self._detectors:
            after = self._after(positions.get(detector.name, EMPTY))
            if after >= head.seq:
                continue
            try:
                for finding in joined(detector.findings(self._log, after, head.seq)):
                    self._take(finding, outcome, now)
            except (*FAILURES, ChainedLoggingError, ValueError) as error:
                outcome.problems.append(f"{detector.name} could not look at the log: {error}")
                continue
            positions[detector.name] = head
        if positions != before:
            self._positions.write(positions)

    def _after(self, head: Head) -> int:
        """Return a detector's position, if it is one in this log."""
        if head == EMPTY:
            return head.seq
        at = ANY.narrowed(first_seq=head.seq, last_seq=head.seq)
        found = self._log.entries(at, limit=1).entries
        return head.seq if found and found[0].hash == head.hash else EMPTY.seq

    def _take(self, finding: Finding, outcome: Outcome, now: dt.datetime) -> None:
        if finding.severity not in self._shown:
            return
        if self.book.is_suppressed(finding, now):
            outcome.suppressed += 1
        elif self.book.known(finding) is not None:
            outcome.joined += 1
        elif self._note is None:
            outcome.raised.append(Alert(-1, "", "", finding))
        else:
            entry = self._note(RAISE, **context_of(finding), **self._about)
            self.book.add(entry)
            outcome.raised.append(Alert.of(entry))

    def _deliver(self, outcome: Outcome, now: dt.datetime) -> None:
        for target in self._targets:
            failures = 0
            for alert in self._waiting(target, outcome, now):
                try:
                    deliver(target, Notification(alert, self._origin))
                except Undelivered as error:
                    outcome.problems.append(f"an alert did not reach {target.name}: {error}")
                    self._say_undelivered(alert, target.name, str(error))
                    failures += 1
                    if failures == _GIVE_UP:  # the others would not reach it either
                        break
                else:
                    self._say(DELIVER, alert, target.name)

    def _waiting(self, target: Target, outcome: Outcome, now: dt.datetime) -> list[Alert]:
        if self._note is None:
            return outcome.raised
        return list(self.book.undelivered(target.name, now - TRY_FOR))

    def _say_undelivered(self, alert: Alert, target: str, why: str) -> None:
        """Say it once, however often it is tried."""
        if (alert.seq, target) not in self.book.failed:
            self._say(UNDELIVERED, alert, target, reason=why)

    def _say(self, action: str, alert: Alert, target: str, reason: str | None = None) -> None:
        if self._note is None:
            return
        context = {"alert": alert.seq, "target": target, **self._about}
        self.book.add(self._note(action, reason=reason, **context))


def deliver(target: Target, notification: Notification) -> None:
    """Deliver an alert, with some patience.

    :raises Undelivered: if the target does not take it.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    for attempt in Retrying(
        retry=retry_if_exception_type(Undelivered),
        stop=stop_after_attempt(3),
        wait=wait_exponential(0.2, max=2),
        reraise=True,
    ):
        with attempt:
            target.deliver(notification)


def joined(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings, with those of one rule and one subject as one, in the order they came."""
    by_key: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        day = finding.first[:10]  # so that what was found in a year is not one alert
        by_key.setdefault((finding.rule, finding.subject, day), []).append(finding)
    for alike in by_key.values():
        yield alike[0] if len(alike) == 1 else _join(alike)


def _join(alike: Sequence[Finding]) -> Finding:
    worst = max(alike, key=lambda finding: SEVERITIES.index(finding.severity))
    entries = sorted({seq for finding in alike for seq in finding.entries})
    return worst._replace(
        entries=tuple(entries[:100]),
        count=sum(finding.count for finding in alike),
        first=min(finding.first for finding in alike),
        last=max(finding.last for finding in alike),
    )


def _head(engine: Engine) -> Head:
    newest = engine.entries(limit=1).entries
    return Head(newest[0].seq, newest[0].hash or "") if newest else EMPTY
