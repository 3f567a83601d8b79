"""Alerts on standard error: ``stderr``."""

from __future__ import annotations

import sys

from chained_logging.review.alerts.delivery.target import Notification, Undelivered


class StandardError:
    """See :class:`~chained_logging.review.alerts.delivery.target.Target`."""

    name = "stderr"

    def deliver(self, notification: Notification) -> None:
        """Print an alert. What others wrote in it cannot steer the terminal."""
        text = f"{notification.subject}\n{notification.text}"
        try:
            print(text, file=sys.stderr, flush=True)
        except (OSError, ValueError) as error:  # closed
            raise Undelivered(str(error)) from None

    def close(self) -> None:
        """Do nothing."""
