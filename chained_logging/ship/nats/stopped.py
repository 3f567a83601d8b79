"""Logs that are stopped in one destination, and the messages that stopped them, as evidence."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from chained_logging.errors import DestinationError
from chained_logging.ship.nats.connection import Connection, out_of_sequence

if TYPE_CHECKING:
    from nats.aio.msg import Msg


class StoppedLogs:
    """What the landings of one destination share about stopped logs.

    :param id: of the destination.
    """

    def __init__(self, stream: Connection, id: str) -> None:
        self._stream = stream
        self._id = id

    def read(self) -> dict[str, str]:
        """Return the tokens of the logs that are stopped, each with the reason."""
        prefix = f"{self._id}."
        found = {}
        bucket = self._stream.bucket("stopped")
        for key in self._stream.keys("stopped", prefix):
            value = self._stream.get(bucket, key)
            if value is not None:
                found[key.removeprefix(prefix)] = str(value.get("reason"))
        return found

    def stop(self, token: str, reason: str) -> None:
        """Stop a log."""
        value = json.dumps({"reason": reason, "time": time.time()}).encode()
        bucket = self._stream.bucket("stopped")
        self._stream.ask(bucket.put(f"{self._id}.{token}", value, validate_keys=False))

    def resume(self, token: str) -> None:
        """Go on with a log."""
        self._stream.ask(self._stream.bucket("stopped").delete(f"{self._id}.{token}"))

    def keep(self, token: str, raw: Msg, reason: str) -> None:
        """Keep a message as evidence, once."""
        sequence = raw.metadata.sequence.stream
        given = {
            name: value for name, value in (raw.headers or {}).items() if name.startswith("Audit-")
        }
        headers = given | {
            "Audit-Reason": " ".join(reason.split())[:1000],
            "Audit-Subject": raw.subject,
            "Nats-Expected-Last-Subject-Sequence": "0",
        }
        subject = f"{self._stream.stream}-dead.{self._id}.{token}.{sequence}"
        try:
            self._stream.ask(self._stream.js.publish(subject, raw.data, headers=headers))
        except DestinationError as error:
            if not out_of_sequence(error):  # otherwise it is there already
                raise
