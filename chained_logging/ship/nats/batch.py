"""The messages of a stream that a destination can take at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.ship.nats.message import Message, following


class Batch(NamedTuple):
    """The entries and checkpoints of some messages, each checkpoint once."""

    records: list[Record]
    checkpoints: list[StoredCheckpoint]
    messages: int
    """How many of the messages are in it, or hold nothing new."""
    wrong: str | None
    """Why the message after these is of another history, if it is."""


def next_batch(head: Head, messages: Iterable[Message], entries: int, size: int) -> Batch:
    """Take the first of some messages of one log, as many as follow each other.

    :param head: the last entry that the destination has.
    :param messages: checked ones, in order.
    :param entries: the most entries to take, unless one message has more.
    :param size: the most bytes, likewise.
    """
    records: list[Record] = []
    checkpoints: dict[StoredCheckpoint, None] = {}
    taken = count = 0
    wrong = None
    for message in messages:
        try:
            new = following(head, message)
        except ValueError as error:
            wrong = str(error)
            break
        if new is None:
            break
        length = sum(len(record.body) + 200 for record in new)
        if records and (len(records) + len(new) > entries or taken + length > size):
            break
        records += new
        checkpoints |= dict.fromkeys(message.checkpoints)
        taken += length
        count += 1
        if new:
            head = message.head
    return Batch(records, list(checkpoints), count, wrong)
