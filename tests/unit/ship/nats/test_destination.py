"""A stream as a destination: each batch once, in order, of the log alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from nats_logs import ORIGIN, Store, Stream, batch, ship, write

from chained_logging.errors import DestinationError, Refused
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.ship.nats import (
    NatsDestination,
)


def forged(record: Record) -> Record:
    """Return the entry with another content, and the hash of that."""
    body = record.body.replace(b'"user-1"', b'"user-2"')
    return Record(record.seq, body, leaf_hash(body))


def test_of_two_shippers_the_stream_takes_the_first(stream: Stream, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 20)
    one, two = NatsDestination(stream.url), NatsDestination(stream.url)
    assert one.head(ORIGIN) == two.head(ORIGIN) == EMPTY
    one.write(ORIGIN, records[:10], [])
    fork = [*records[:5], forged(records[5])]
    with pytest.raises(DestinationError, match="another shipper"):
        two.write(ORIGIN, fork, [])
    assert two.head(ORIGIN) == Head(9, records[9].hash)
    with pytest.raises(Refused, match="does not follow"):
        two.write(ORIGIN, records[8:], [])
    with pytest.raises(Refused, match="does not follow"):
        two.write(ORIGIN, records[12:], [])
    two.write(ORIGIN, records[10:], [])
    assert list(one.records(ORIGIN)) == records
    one.close()
    two.close()


def test_a_repeated_batch_is_refused_beyond_the_window_too(stream: Stream, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 20)
    destination = NatsDestination(stream.url)
    destination.write(ORIGIN, records[:10], [])
    late = NatsDestination(stream.url)
    late._ends[ORIGIN] = (0, EMPTY)  # what a shipper knew that was stopped before it published
    with pytest.raises(DestinationError, match="was there already"):
        late.write(ORIGIN, records[:10], [])
    stream.change(duplicate_window=0.1)
    time.sleep(0.5)
    late._ends[ORIGIN] = (0, EMPTY)
    with pytest.raises(DestinationError, match="another shipper"):
        late.write(ORIGIN, records[:10], [])
    assert list(destination.records(ORIGIN)) == records[:10]
    destination.close()
    late.close()


def test_where_a_log_stands_is_known_after_its_messages_expired(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    records = write(path, 9)
    assert ship(path, stream.url).seq == 9
    store.land(stream)
    stream.change(max_age=1.0, duplicate_window=1.0)
    time.sleep(2.5)
    destination = NatsDestination(stream.url)
    assert list(destination.records(ORIGIN)) == []
    assert destination.head(ORIGIN) == Head(9, records[9].hash)
    stream.change(max_age=3600.0)
    records = write(path, 5)
    assert ship(path, stream.url).seq == 14
    assert next(destination.records(ORIGIN)).seq == 10, "nothing is shipped again"
    destination.close()
    store.land(stream)
    assert store.records() == records


def test_entries_and_checkpoints_come_back(stream: Stream, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 20)
    notes = [StoredCheckpoint("b", 12, ""), StoredCheckpoint("a", 5, "")]
    destination = NatsDestination(stream.url)
    assert destination.origins() == []
    destination.write(ORIGIN, records[:12], notes[:1])
    destination.write(ORIGIN, records[12:], notes)
    assert destination.origins() == [ORIGIN]
    assert list(destination.records(ORIGIN)) == records
    assert list(destination.records(ORIGIN, 7)) == records[7:]
    assert list(destination.checkpoints(ORIGIN)) == [notes[1], notes[0]]
    assert destination.inspect(ORIGIN) == []
    destination.close()


def test_faults_of_the_messages_are_named(stream: Stream, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 20)
    subject = stream.subject(ORIGIN)
    stream.publish(subject, *batch(records[:5]))
    stream.publish(subject, {}, b"garbage")
    stream.publish(subject, {"Status": "404"}, b"")
    stream.publish(subject, *batch(records[8:]))
    destination = NatsDestination(stream.url)
    found = [(fault.kind, fault.seq) for fault in destination.inspect(ORIGIN)]
    assert found == [("malformed", None), ("foreign", None), ("missing", 5)]
    assert [record.seq for record in destination.records(ORIGIN)] == [*range(5), *range(8, 21)]
    destination.close()


def test_a_message_of_nobody_is_passed_over(stream: Stream, tmp_path: Path) -> None:
    class Ours:
        """What a log without a key says of itself, that is remembered to have five entries."""

        def reached(self) -> Head:
            return Head(4, records[4].hash)

    records = write(tmp_path / "audit.jsonl", 20)
    stream.publish(stream.subject(ORIGIN), *batch(records[:5]))
    stream.publish(stream.subject(ORIGIN), {}, b"garbage")
    destination = NatsDestination(stream.url)
    assert destination.head(ORIGIN) == EMPTY  # nothing was noted
    assert destination.find_end(ORIGIN, Ours()) == Head(4, records[4].hash)  # type: ignore[arg-type]
    destination.write(ORIGIN, records[5:], [])
    assert list(destination.records(ORIGIN)) == records
    destination.close()
