"""What the log says of its alerts: which are open, which were delivered, what is suppressed.

The log is the only memory of what was raised. A process that is killed at any moment raises
nothing twice, since the next one reads here what is there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.values import timestamp_text
from chained_logging.review.alerts.alert import (
    ACKNOWLEDGE,
    ACTIONS,
    DELIVER,
    RAISE,
    SUPPRESS,
    UNDELIVERED,
    Alert,
)
from chained_logging.review.detect.finding import Finding
from chained_logging.review.filter import ANY
from chained_logging.review.overview import own_entries
from chained_logging.review.period import instant
from chained_logging.review.query import Engine

WINDOW: Final = dt.timedelta(days=1)
"""Findings of one rule about one subject within this span are one alert."""


class Decision(NamedTuple):
    """What somebody decided about alerts.

    :ivar until: the end of a suppression.
    """

    who: str
    when: str
    reason: str
    until: str | None = None

    def holds(self, now: dt.datetime) -> bool:
        """Whether a suppression has not ended."""
        return self.until is not None and timestamp_text(now) < self.until


class Book:
    """The alerts of a log.

    :param log: the log that the alerts are about, if the entries about it are in another one.
    :param window: as :data:`WINDOW`.
    :param origin: the name that `log` gives itself: several may have one file name.
    :ivar alerts: all that were raised, by ``seq``.
    :ivar acknowledged: who dealt with an alert, by its ``seq``.
    :ivar suppressed: what is not to be raised, by the rule and the subject; None for any subject.
    :ivar failed: pairs of an alert's ``seq`` and a target that did not take it yet.
    """

    def __init__(
        self, log: str | None = None, window: dt.timedelta = WINDOW, *, origin: str | None = None
    ) -> None:
        self.alerts: dict[int, Alert] = {}
        self.acknowledged: dict[int, Decision] = {}
        self.suppressed: dict[tuple[str, str | None], Decision] = {}
        self.failed: set[tuple[int, str]] = set()
        self._delivered: set[tuple[int, str]] = set()
        self._by_key: dict[tuple[str, str], list[Alert]] = {}
        self._about = (log, origin)
        self._window = window
        self._seq = -1

    def read(self, engine: Engine) -> None:
        """Take in what a log says since it was last read."""
        wanted = own_entries(ANY, *ACTIONS).narrowed(first_seq=self._seq + 1)
        for entry in engine.every(wanted):
            self.add(entry)

    def add(self, entry: AuditEntry) -> None:
        """Take in one entry. What is not as such an entry is, is passed over."""
        self._seq = max(self._seq, entry.seq)
        if (entry.context.get("log"), entry.context.get("log_origin")) != self._about:
            return
        if entry.action == RAISE:
            self._raise(entry)
        elif entry.action == SUPPRESS:
            self._suppress(entry)
        else:
            self._about_one(entry)

    def _raise(self, entry: AuditEntry) -> None:
        try:
            alert = Alert.of(entry)
        except ValueError:
            return
        self.alerts[alert.seq] = alert
        key = (alert.finding.rule, alert.finding.subject)
        self._by_key.setdefault(key, []).append(alert)

    def _suppress(self, entry: AuditEntry) -> None:
        rule, subject, until = (entry.context.get(name) for name in ("rule", "subject", "until"))
        if not isinstance(rule, str) or not isinstance(until, str):
            return
        if subject is None or isinstance(subject, str):
            self.suppressed[rule, subject] = _decision(entry, until)

    def _about_one(self, entry: AuditEntry) -> None:
        seq, target = entry.context.get("alert"), entry.context.get("target")
        if type(seq) is not int or seq not in self.alerts:
            return
        if entry.action == ACKNOWLEDGE:
            self.acknowledged[seq] = _decision(entry)
        elif entry.action == UNDELIVERED and isinstance(target, str):
            self.failed.add((seq, target))
        elif entry.action == DELIVER and isinstance(target, str):
            self._delivered.add((seq, target))
            self.failed.discard((seq, target))

    def known(self, finding: Finding) -> Alert | None:
        """Return the alert that a finding belongs to, if it was raised already."""
        for alert in reversed(self._by_key.get((finding.rule, finding.subject), ())):
            ends = max(alert.finding.last, _after(alert.finding.first, self._window))
            if alert.finding.first <= finding.last and finding.first <= ends:
                return alert
        return None

    def standing(self, finding: Finding) -> Alert | None:
        """Return the open alert of a finding's rule about its subject, however old it is."""
        alike = self._by_key.get((finding.rule, finding.subject), ())
        return next((one for one in alike if one.seq not in self.acknowledged), None)

    def is_suppressed(self, finding: Finding, now: dt.datetime) -> bool:
        """Whether somebody decided that such a finding is not to be raised now."""
        return any(
            decision is not None and decision.holds(now)
            for decision in (
                self.suppressed.get((finding.rule, finding.subject)),
                self.suppressed.get((finding.rule, None)),
            )
        )

    def open(self) -> list[Alert]:
        """Return the alerts that nobody has acknowledged, in the order they were raised."""
        return [alert for seq, alert in self.alerts.items() if seq not in self.acknowledged]

    def undelivered(self, target: str, since: dt.datetime) -> Iterator[Alert]:
        """Yield the open alerts that a target has not taken yet.

        :param since: leave out those that were raised before.
        """
        earliest = timestamp_text(since)
        for alert in self.open():
            if alert.raised >= earliest and (alert.seq, target) not in self._delivered:
                yield alert


def _decision(entry: AuditEntry, until: str | None = None) -> Decision:
    who = entry.on_behalf_of or entry.actor_id
    return Decision(who, entry.timestamp, entry.reason or "", until)


def _after(timestamp: str, span: dt.timedelta) -> str:
    try:
        return timestamp_text(instant(timestamp) + span)
    except OverflowError:
        return timestamp
