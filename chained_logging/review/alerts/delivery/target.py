"""A receiver of alerts, and what it is told.

Each alert is delivered at least once: a process that dies after the receiver took it, and before
the log says so, delivers it again. The ``id`` tells a receiver that it is the same.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol

from chained_logging.errors import ChainedLoggingError
from chained_logging.review.alerts.alert import Alert
from chained_logging.text import printable


class Undelivered(ChainedLoggingError):
    """A receiver did not take an alert. The message says why, and holds no secret."""


class Notification(NamedTuple):
    """What a receiver is told.

    :ivar origin: the name of the log.
    """

    alert: Alert
    origin: str

    @property
    def subject(self) -> str:
        """One line that says what happened."""
        found = self.alert.finding
        return printable(f"[{found.severity}] {found.rule}: {found.subject}")[:200]

    @property
    def text(self) -> str:
        """Some lines that say what happened, and where to look."""
        found, alert = self.alert.finding, self.alert
        entries = ", ".join(map(str, found.entries[:10]))
        more = f" and {found.count - 10:,} more" if found.count > 10 else ""
        lines = [
            found.sentence,
            f"Rule: {found.rule} ({found.severity})",
            f"About: {found.subject}",
            f"When: {found.first} to {found.last}",
            f"Entries: {entries}{more}",
            f"Log: {alert.log or self.origin}",
            f"Alert: {alert.seq} ({alert.id})" if alert.id else "This alert is not in the log.",
        ]
        return "\n".join(map(printable, lines)) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return it as programs get it."""
        return self.alert.to_dict(self.origin)

    def to_json(self) -> bytes:
        """Return it as programs get it, on one line."""
        return json.dumps(self.to_dict()).encode() + b"\n"


class Target(Protocol):
    """A receiver.

    :ivar name: what the log calls it. It holds no secret, and stays the same.
    """

    @property
    def name(self) -> str: ...

    def deliver(self, notification: Notification) -> None:
        """Bring an alert to the receiver, and wait until it has taken it.

        :raises Undelivered: if it did not.
        """

    def close(self) -> None:
        """Close its connections."""
