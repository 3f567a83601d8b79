"""Webhooks as Standard Webhooks has them: batches as signed POSTs, acknowledged by a 2xx."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical
from chained_logging.net.client import Client
from chained_logging.ship.feeds.address import LINE, parsed, require_secure, secret
from chained_logging.ship.feeds.feed import Feed
from chained_logging.ship.feeds.post import post

SECRET_VARIABLE: Final = "CHAINED_LOGGING_WEBHOOK_SECRET"  # noqa: S105 -- a name
AUTHORIZATION_VARIABLE: Final = "CHAINED_LOGGING_WEBHOOK_AUTHORIZATION"
TYPE: Final = "audit_log.entries"
_PREFIX: Final = "whsec_"


class WebhookFeed(Feed):
    """See :class:`~chained_logging.ship.feeds.feed.Feed`.

    :param url: ``https://…``, with the options ``format``, ``secret_file`` and
        ``authorization_file`` (the value of the header ``Authorization``). Without these files,
        :data:`SECRET_VARIABLE` and :data:`AUTHORIZATION_VARIABLE` are read.
    :raises ValueError: if it is no such URL, or there is no secret.
    :raises OSError: if a file cannot be read.
    :raises ForeignFile: if others can read it.
    """

    batch_entries = 500
    batch_bytes = 500_000

    def __init__(self, url: str) -> None:
        super().__init__(parsed(url, ("secret_file", "authorization_file"), 443))
        require_secure(self.address)
        given = secret(self.address, "secret_file", SECRET_VARIABLE)
        if given is None:
            raise ValueError(
                f"{self.name}: a webhook needs a secret: add #secret_file=FILE, or set "
                f"{SECRET_VARIABLE}"
            )
        self._key = key(given)
        authorization = secret(self.address, "authorization_file", AUTHORIZATION_VARIABLE)
        self._headers = {"content-type": "application/json"}
        if authorization is not None:
            self._headers["authorization"] = authorization
        self._client = Client()

    def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
        now = time.time()
        said = {
            "type": TYPE,
            "timestamp": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "data": {
                "origin": origin,
                "format": self.address.format,
                "entries": [self._item(entry, origin) for entry in entries],
            },
        }
        body = canonical(said)
        first, last = entries[0], entries[-1]
        id = "msg_" + sha256(f"{origin}\n{first.hash}\n{last.hash}".encode()).hexdigest()[:32]
        headers = self._headers | signed(self._key, id, int(now), body)
        post(self._client, self.name, self.address.url, body, headers)

    def _item(self, entry: AuditEntry, origin: str) -> dict[str, Any]:
        payload = self.payload(entry, origin)
        text = self.address.format in (LINE, "cef")  # the exact bytes of a line count
        return {
            "id": entry.fields.get("id"),
            "seq": entry.fields.get("seq"),
            "hash": entry.hash,
            "entry": payload.decode() if text else json.loads(payload),
        }

    def close(self) -> None:
        self._client.close()


def key(secret: str) -> bytes:
    """Return the key in a secret, ``whsec_`` and base64.

    :raises ValueError: if it is not such a secret, of 24 to 64 bytes. The message does not hold it.
    """
    try:
        found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        found = b""
    if not 24 <= len(found) <= 64:
        raise ValueError("the secret of a webhook must be whsec_ and base64 of 24 to 64 bytes")
    return found


def signed(key: bytes, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks for a message.

    :param timestamp: seconds since 1970.
    """
    content = b"%b.%d.%b" % (id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
