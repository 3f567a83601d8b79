"""The messages of a stream that a destination can take at once."""

from __future__ import annotations

import pytest
from sink_records import chained

from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.ship.nats.batch import Batch, next_batch
from chained_logging.ship.nats.message import Message

RECORDS = chained(12)


def head(seq: int) -> Head:
    return EMPTY if seq < 0 else Head(seq, RECORDS[seq].hash)


def message(first: int, end: int, *checkpoints: StoredCheckpoint) -> Message:
    return Message("a", first, head(end - 1), RECORDS[first:end], list(checkpoints))


def taken(start: int, *messages: Message, entries: int = 100, size: int = 1 << 20) -> Batch:
    return next_batch(head(start), messages, entries, size)


def test_messages_that_follow_each_other_are_one_batch() -> None:
    assert taken(-1, message(0, 4), message(4, 9)) == Batch(RECORDS[:9], [], 2, None)


def test_what_the_destination_has_is_left_out() -> None:
    assert taken(5, message(0, 4), message(2, 8)) == Batch(RECORDS[6:8], [], 2, None)


def test_it_ends_before_a_gap() -> None:
    assert taken(-1, message(0, 4), message(5, 9)) == Batch(RECORDS[:4], [], 1, None)


@pytest.mark.parametrize("limit", [{"entries": 6}, {"size": 2_000}])
def test_it_has_no_more_than_the_destination_takes_but_one_message(limit: dict[str, int]) -> None:
    assert taken(-1, message(0, 4), message(4, 9), **limit).records == RECORDS[:4]
    assert taken(-1, message(0, 9), **limit).records == RECORDS[:9]


def test_each_checkpoint_comes_once() -> None:
    one, two = StoredCheckpoint("one", 3, ""), StoredCheckpoint("two", 6, "")
    batch = taken(-1, message(0, 4, one), message(4, 9, one, two))
    assert batch.checkpoints == [one, two]
    assert taken(8, message(9, 9, two)) == Batch([], [two], 1, None)


def test_a_message_of_another_history_is_named_and_ends_it() -> None:
    other = Record(4, RECORDS[4].body.replace(b'"seq":4', b'"seq":9'), "f" * 64)
    wrong = Message("a", 4, Head(4, other.hash), [], [])
    batch = taken(-1, message(0, 5), wrong, message(5, 9))
    assert (batch.records, batch.messages) == (RECORDS[:5], 1)
    assert batch.wrong is not None
    assert "it is of another history: its entry 4" in batch.wrong
