"""Alerts as webhooks: ``https://…``, signed as Standard Webhooks has it."""

from __future__ import annotations

import time
from typing import Final

from chained_logging.errors import ShipError
from chained_logging.format.canonical import canonical
from chained_logging.net.client import Client
from chained_logging.review.alerts.delivery.target import Notification, Undelivered
from chained_logging.ship.feeds.address import parsed, require_secure, secret
from chained_logging.ship.feeds.post import post
from chained_logging.ship.feeds.webhook import SECRET_VARIABLE, key, signed

_OPTIONS: Final = ("secret_file",)


class Webhook:
    """See :class:`~chained_logging.review.alerts.delivery.target.Target`.

    :param url: ``https://…#secret_file=FILE``; without the file, the environment variable
        ``CHAINED_LOGGING_WEBHOOK_SECRET`` holds the secret.
    :raises ValueError: if it is no such URL, or there is no secret.
    :raises OSError: if the file cannot be read; also LogError.
    """

    def __init__(self, url: str) -> None:
        self._address = parsed(url, _OPTIONS, 443)
        require_secure(self._address)
        self.name = self._address.name
        given = secret(self._address, "secret_file", SECRET_VARIABLE)
        if given is None:
            raise ValueError(
                f"{self.name}: a webhook needs a secret: add #secret_file=FILE, or set "
                f"{SECRET_VARIABLE}"
            )
        self._key = key(given)
        self._client = Client()

    def deliver(self, notification: Notification) -> None:
        """Send an alert. Its ``webhook-id`` is the same each time."""
        said = notification.to_dict()
        body = canonical({"type": said["type"], "timestamp": said["raised"], "data": said})
        headers = signed(self._key, f"msg_{said['id']}", int(time.time()), body)
        headers["content-type"] = "application/json"
        try:
            post(self._client, self.name, self._address.url, body, headers)
        except ShipError as error:
            raise Undelivered(str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
