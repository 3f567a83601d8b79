"""Where alerts of one log are raised and decided on: the log, its book and who is told."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from chained_logging.errors import FAILURES, ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.event.values import timestamp_text
from chained_logging.log import AuditLog
from chained_logging.review.alerts.alert import ACKNOWLEDGE, SUPPRESS
from chained_logging.review.alerts.book import WINDOW, Book
from chained_logging.review.alerts.delivery.target import Target
from chained_logging.review.alerts.position import PositionFile, PositionsInMemory
from chained_logging.review.alerts.round import Rounds
from chained_logging.review.detect.finding import Detector, Severity
from chained_logging.review.opening import is_url, named, open_log
from chained_logging.review.overview import origin_of
from chained_logging.review.reading import why_unwritable

LONGEST: Final = 366
"""Days that an alert can be suppressed."""


class NotHere(ChainedLoggingError):
    """The log cannot hold its alerts. The message says why."""


class Desk:
    """The alerts of one log. Close it, or use it as a context manager.

    :param where: the path of the log, or the URL of a central store.
    :param into: the log that holds the alerts, for one that cannot be written to.
    :param origin: the name of the log, where a store holds several.
    :ivar why_not: why alerts are not recorded; None if they are.
    :raises OSError: if a log cannot be read; also LogError.
    """

    def __init__(
        self,
        where: str,
        *,
        into: str | None = None,
        origin: str | None = None,
        window: dt.timedelta = WINDOW,
    ) -> None:
        self._stack = contextlib.ExitStack()
        self.why_not: str | None = None
        with self._stack:
            self.engine = self._stack.enter_context(open_log(where, origin=origin))
            self._log = self._opened(where, into)
            self.origin = origin or (self._log.origin if self._log else named(where))
            held_elsewhere = self._log is not None and into is not None
            self._about: dict[str, str] = {}
            if held_elsewhere:
                name = origin or origin_of(self.engine) or named(where)
                self._about = {"log": named(where), "log_origin": name}
            self._memory = (
                self._stack.enter_context(open_log(str(into))) if held_elsewhere else self.engine
            )
            self.book = Book(self._about.get("log"), window, origin=self._about.get("log_origin"))
            self.book.read(self._memory)
            self._stack = self._stack.pop_all()

    def _opened(self, where: str, into: str | None) -> AuditLog | None:
        """Open the log that holds the alerts; None if no log takes them."""
        path = into or where
        if into is None or is_url(into):
            self.why_not = why_unwritable(path)
        if self.why_not is not None:
            return None
        try:
            log = AuditLog(path, on_failure="raise", sign="follow")
        except (*FAILURES, ValueError) as error:
            if into is not None:
                raise
            self.why_not = f"{path} cannot be written to: {error}"
            return None
        return self._stack.enter_context(log)

    def rounds(
        self,
        detectors: Sequence[Detector],
        targets: Sequence[Target] = (),
        *,
        least: Severity = "low",
    ) -> Rounds:
        """Return what looks at the log again and again.

        :param least: findings that are less severe are left out.
        """
        log = self._log
        return Rounds(
            self.engine,
            detectors,
            targets,
            PositionsInMemory() if log is None else PositionFile(log.path),
            self.book,
            origin=self.origin,
            memory=self._memory,
            note=None if log is None else log.note,
            about=self._about,
            least=least,
        )

    def acknowledge(self, seq: int, who: str, reason: str) -> AuditEntry:
        """Record that somebody dealt with an alert.

        :param seq: of the entry that raised it.
        :raises ValueError: if there is no such open alert, or no reason.
        :raises NotHere: if the log cannot be written to.
        :raises OSError: if writing fails; also LogError.
        """
        if seq not in self.book.alerts:
            raise ValueError(f"entry {seq} raises no alert: see chained-logging alerts")
        if seq in self.book.acknowledged:
            raise ValueError(f"alert {seq} was acknowledged by {self.book.acknowledged[seq].who}")
        return self._decide(ACKNOWLEDGE, who, reason, alert=seq)

    def suppress(
        self, rule: str, subject: str | None, until: dt.datetime, who: str, reason: str
    ) -> AuditEntry:
        """Record that findings of a rule are not to be raised until a time.

        :param subject: only those about it; None for any.
        :param until: at most :data:`LONGEST` days from now. A time that has passed ends an earlier
            suppression.
        :raises ValueError: if that is too long, or there is no reason.
        :raises NotHere: if the log cannot be written to.
        :raises OSError: if writing fails; also LogError.
        """
        if until > dt.datetime.now(dt.UTC) + dt.timedelta(days=LONGEST):
            raise ValueError(f"an alert can be suppressed for at most {LONGEST} days")
        about: dict[str, Any] = {} if subject is None else {"subject": subject}
        return self._decide(SUPPRESS, who, reason, rule=rule, until=timestamp_text(until), **about)

    def _decide(self, action: str, who: str, reason: str, **context: Any) -> AuditEntry:
        if not reason.strip():
            raise ValueError("a reason must be given: reviewers of the log read it")
        if self._log is None:
            raise NotHere(f"{self.why_not}: name the log that holds the alerts with --into")
        entry = self._log.note(action, on_behalf_of=who, reason=reason, **context, **self._about)
        self.book.add(entry)
        return entry

    def close(self) -> None:
        """Close the logs."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
