"""The destination: publishes batches of a log to its subject, in order."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from chained_logging.errors import DestinationError, Refused
from chained_logging.format.line import position
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.ship.destination import Ours
from chained_logging.ship.fault import FOREIGN, Fault
from chained_logging.ship.nats.connection import Connection, out_of_sequence, subjects_of
from chained_logging.ship.nats.message import (
    HASH,
    Foreign,
    Message,
    check_published,
    decode,
    encode,
    following,
    origin_of,
    partition_of,
    pieces,
    token_of,
)
from chained_logging.ship.nats.setup import settings, weaknesses

_log = logging.getLogger("chained_logging.ship")

_HEAD_EVERY: Final = 30.0  # seconds between two notes of a log's end


class NatsDestination:
    """See :class:`chained_logging.ship.Destination`.

    :param url: ``nats://user:password@host:4222,host:4222/STREAM``, or ``tls://…``, where the
        server must have a certificate for its name; with ``?credentials=FILE`` (JWT and seed),
        ``?ca=FILE``, ``?certificate=FILE&key=FILE``.
    :raises ValueError: if it is no such URL.
    :raises ImportError: if nats-py is not installed.
    """

    batch_entries = 5_000
    batch_bytes = 700_000  # so that a batch is a message
    batch_seconds = 1.0

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        self.name = self._connection.name
        self._ends: dict[str, tuple[int, Head]] = {}  # stream sequence and entry, by origin
        self._noted: dict[str, tuple[float, Head]] = {}

    def head(self, origin: str) -> Head:
        _, head = self._ends[origin] = self._look(origin)
        return head

    def find_end(self, origin: str, ours: Ours) -> Head:
        """See :meth:`chained_logging.ship.OpenDestination.find_end`.

        Anybody can have a batch sent there as the answer to a request. After a batch that is not
        the log's, the log goes on from its remembered end: repeated entries are skipped.
        """
        sequence, last = self._last(origin)
        if isinstance(last, Message):
            signed = [one for one in last.checkpoints if ours.signed(one)]
            if ours.holds(last.head) or not ours.has_key() or not all(map(ours.agrees, signed)):
                self._ends[origin] = sequence, last.head
                return last.head
        head = self._noted_head(origin) or EMPTY if last is None else ours.reached()
        if last is not None:
            _log.warning(
                "%s: message %d is not of %s: it is passed over", self.name, sequence, origin
            )
        self._ends[origin] = sequence, head
        return head

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        """See :meth:`chained_logging.ship.Destination.write`.

        If they do not fit one message (a megabyte), a failure may leave the first messages there,
        complete.
        """
        connection, subject = self._open(), self._subject(origin)
        sequence, head = self._ends.get(origin) or self._look(origin)
        self._ends.pop(origin, None)  # until it is known again
        if records and (records[0].seq, position(records[0].body)[1]) != (
            head.seq + 1,
            head.hash,
        ):
            raise Refused(f"{self.name}: entry {records[0].seq} does not follow entry {head.seq}")
        for first, after, some, notes in pieces(head, records, checkpoints, connection.max_lines):
            headers, payload = encode(first, after, some, notes)
            identity = sha256(f"{subject}\n{first}\n{after}\n".encode() + payload).hexdigest()
            headers["Nats-Msg-Id"] = identity
            headers["Nats-Expected-Last-Subject-Sequence"] = str(sequence)
            try:
                ack = connection.ask(
                    connection.js.publish(
                        subject, payload, stream=connection.stream, headers=headers
                    )
                )
            except DestinationError as error:
                if out_of_sequence(error):
                    raise DestinationError(
                        f"{self.name}: another shipper has written {origin} since"
                    ) from None
                raise
            if ack.duplicate:  # seen within two minutes: head says whether it is there
                raise DestinationError(f"{self.name}: that batch was there already")
            sequence, head = ack.seq, after
        self._ends[origin] = (sequence, head)

    def tend(self, origin: str) -> None:
        """Note the log's end, for the time when its messages have expired.

        A note with each batch would double the number of messages, so it is made now and then. A
        note that is too old leads to a repetition, which the landing skips.
        """
        known = self._ends.get(origin)
        at, noted = self._noted.get(origin, (0.0, EMPTY))
        if known is None or known[1] == noted or time.monotonic() < at + _HEAD_EVERY:
            return
        connection = self._open()
        bucket = connection.bucket("heads")
        value = json.dumps(known[1]._asdict()).encode()
        connection.ask(bucket.put(token_of(origin), value))
        self._noted[origin] = (time.monotonic(), known[1])

    def origins(self) -> list[str]:
        connection = self._open()
        found = set()
        for partition in range(connection.partitions):
            info = connection.ask(
                connection.js.stream_info(
                    connection.stream, subjects_filter=f"{connection.stream}.{partition}.*"
                )
            )
            for subject in info.state.subjects or {}:
                with contextlib.suppress(ValueError):
                    found.add(origin_of(subject.rpartition(".")[2]))
        return sorted(found)

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Read what the stream still holds. A repeated entry comes once. What a landing does not
        land is left out, and named by :meth:`inspect`."""
        for _, message in self._messages(origin):
            if isinstance(message, Message):
                for record in message.records:
                    if record.seq >= start:
                        yield record
                        start = record.seq + 1

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        found = {
            checkpoint
            for _, message in self._messages(origin)
            if isinstance(message, Message)
            for checkpoint in message.checkpoints
        }
        yield from sorted(found, key=lambda one: (one.size, one.note, one.timestamp or ""))

    def inspect(self, origin: str) -> list[Fault]:
        connection = self._open()
        expected = settings(
            connection.stream, subjects_of(connection.stream, connection.partitions)
        )
        faults = [
            self._fault("weakened", f"the stream {connection.stream}: {reason}")
            for reason in weaknesses(connection.config, expected)
        ]
        if gone := connection.deleted():
            reason = f"{gone} messages were deleted from between others in {connection.stream}"
            faults.append(self._fault("missing", reason))
        head: Head | None = None
        for sequence, message in self._messages(origin):
            try:
                if isinstance(message, ValueError):
                    raise message
                new = message.records if head is None else following(head, message)
            except Foreign as error:
                faults.append(self._fault(FOREIGN, f"message {sequence}: {error}"))
                continue
            except ValueError as error:
                faults.append(
                    self._fault("malformed", f"message {sequence} is not a batch: {error}")
                )
                continue
            if new is None:
                assert head is not None  # noqa: S101 -- for the type checker
                reason = f"entries {head.seq + 1} to {message.first - 1} are in no message"
                faults.append(self._fault("missing", reason, head.seq + 1))
            if head is None or message.head.seq > head.seq:
                head = message.head
        noted = self._noted_head(origin)
        if noted is not None and noted.seq > (head or EMPTY).seq and head is not None:
            reason = f"{origin} stood at entry {noted.seq}, and its last message is at {head.seq}"
            faults.append(self._fault("missing", reason, head.seq + 1))
        return faults

    def close(self) -> None:
        self._ends.clear()
        self._connection.close()

    # --- What the protocol does not ask for.

    def _open(self) -> Connection:
        self._connection.open()
        return self._connection

    def _subject(self, origin: str) -> str:
        connection = self._open()
        partition = partition_of(origin, connection.partitions)
        return f"{connection.stream}.{partition}.{token_of(origin)}"

    def _look(self, origin: str) -> tuple[int, Head]:
        """Return the stream sequence of a log's last message, and the last entry of the log.

        After a message that is not a batch, which the landing will report, the end is the noted
        one.
        """
        sequence, last = self._last(origin)
        if isinstance(last, Message):
            return sequence, last.head
        if last is not None:
            _log.critical(
                "%s: message %d is not a batch of %s: %s", self.name, sequence, origin, last
            )
        return sequence, self._noted_head(origin) or EMPTY

    def _last(self, origin: str) -> tuple[int, Message | ValueError | None]:
        """Return a log's last message, or why it is not a batch, and its stream sequence."""
        connection, subject = self._open(), self._subject(origin)
        found = connection.last(subject)
        if found is None:
            return 0, None
        sequence, headers, data = found
        try:
            message = decode(subject, headers, data)
            message.check()
        except ValueError as error:
            return sequence, error
        return sequence, message

    def _noted_head(self, origin: str) -> Head | None:
        connection = self._open()
        found = connection.get(connection.bucket("heads"), token_of(origin))
        if found is None:
            return None
        seq, hash = found.get("seq"), found.get("hash")
        if type(seq) is not int or not isinstance(hash, str) or not HASH.fullmatch(hash):
            return None
        return Head(seq, hash)

    def _messages(self, origin: str) -> Iterator[tuple[int, Message | ValueError]]:
        for sequence, subject, headers, data in self._open().messages(self._subject(origin)):
            try:
                check_published(headers, data)
                message = decode(subject, headers, data)
                message.check()
            except ValueError as error:
                yield sequence, error
            else:
                yield sequence, message

    def _fault(self, kind: str, reason: str, seq: int | None = None) -> Fault:
        return Fault(kind, self.name, seq, None, reason)
