"""Alerts to chats and pagers by Apprise: ``apprise:FILE``, a file of its URLs."""

from __future__ import annotations

from pathlib import Path

from chained_logging.keys.owner_file import read_private
from chained_logging.review.alerts.delivery.target import Notification, Undelivered


class Apprise:
    """See :class:`~chained_logging.review.alerts.delivery.target.Target`.

    :param file: holds an Apprise URL on each line, which are secrets, so only its owner may read
        it. Empty lines and those that begin with ``#`` are skipped.
    :raises ValueError: if a line is no such URL. The message says which line.
    :raises ImportError: if Apprise is not installed.
    :raises OSError: if the file cannot be read; also LogError.
    """

    def __init__(self, file: str) -> None:
        try:
            import apprise
        except ImportError:
            raise ImportError("apprise: needs pip install 'chained_logging[apprise]'") from None
        self.name = f"apprise:{file}"
        self._services = apprise.Apprise()
        lines = read_private(Path(file)).decode("utf-8", "replace").splitlines()
        for number, line in enumerate(map(str.strip, lines), 1):
            if line and not line.startswith("#") and not self._services.add(line):
                raise ValueError(f"{file}: line {number} is not an Apprise URL")
        if not len(self._services):
            raise ValueError(f"{file} must hold an Apprise URL on a line")

    def deliver(self, notification: Notification) -> None:
        """Notify all services."""
        if not self._services.notify(body=notification.text, title=notification.subject):
            raise Undelivered("at least one service did not take it")

    def close(self) -> None:
        """Do nothing."""
