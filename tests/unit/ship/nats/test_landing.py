"""The landing of a stream: each entry once, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
from folder_store import FolderStore
from nats_logs import ORIGIN, Store, Stream, batch, write

from chained_logging.errors import ShipError
from chained_logging.ship.land import Landing
from chained_logging.ship.nats import (
    NatsDestination,
    partition_of,
)


def test_several_messages_of_one_log_become_one_write(stream: Stream, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 99)
    destination = NatsDestination(stream.url)
    for start in range(0, 100, 10):
        destination.write(ORIGIN, records[start : start + 10], [])
    destination.close()
    opened: list[FolderStore] = []

    def opener() -> FolderStore:
        opened.append(FolderStore(tmp_path / "store"))
        return opened[-1]

    assert Landing(stream.url, opener).land(10)
    assert [one.writes for one in opened] == [1]


def test_what_is_published_twice_all_the_same_is_landed_once(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "audit.jsonl", 29)
    subject = stream.subject(ORIGIN)
    for start, end in ((0, 10), (0, 10), (5, 15), (12, 20), (0, 20), (20, 30), (20, 30)):
        stream.publish(subject, *batch(records[start:end]))
    assert store.land(stream)
    assert store.records() == records
    stream.publish(subject, *batch(records[3:8]))
    stream.publish(subject, *batch(records))
    assert store.land(stream)
    assert store.records() == records
    assert store.alerts == []


def test_landings_of_some_partitions_each_do_the_whole_together(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    logs = {f"example.com/{n}": write(tmp_path / f"{n}.jsonl", 5, f"example.com/{n}")
            for n in range(8)}  # fmt: skip
    destination = NatsDestination(stream.url)
    for origin, records in logs.items():
        destination.write(origin, records, [])
    assert destination.origins() == sorted(logs)
    destination.close()
    assert store.landing(stream, partitions=[0, 1]).land(10)
    assert {origin for origin in logs if store.records(origin)} == {
        origin for origin in logs if partition_of(origin, 4) < 2
    }
    assert store.landing(stream, partitions=[2, 3]).land(10)
    assert {origin: store.records(origin) for origin in logs} == logs
    with pytest.raises(ValueError, match="4 partitions"):
        store.landing(stream, partitions=[4]).land(10)


def test_a_message_that_is_no_batch_stops_its_log_alone_until_it_is_resumed(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "audit.jsonl", 9)
    other = write(tmp_path / "other.jsonl", 9, "example.com/other")
    subject = stream.subject(ORIGIN)
    stream.publish(subject, *batch(records[:4]))
    stream.publish(subject, {}, b"garbage")
    stream.publish(subject, *batch(records[4:]))
    stream.publish(stream.subject("example.com/other"), *batch(other))
    assert store.land(stream)
    assert store.records() == records[:4]
    assert store.records("example.com/other") == other
    assert list(store.stopped(stream)) == [ORIGIN]
    assert len(store.alerts) == 1
    assert "is not a batch" in store.alerts[0]
    assert len(stream.dead()) == 1
    assert store.resume(stream) == len(records) - 4
    assert store.stopped(stream) == {}
    assert store.records() == records


def test_what_comes_too_early_waits_for_what_is_between(
    stream: Stream, store: Store, tmp_path: Path
) -> None:
    records = write(tmp_path / "audit.jsonl", 9)
    stream.publish(stream.subject(ORIGIN), *batch(records[5:]))
    assert not store.land(stream, 0.5)
    assert store.records() == []
    stream.publish(stream.subject(ORIGIN), *batch(records[:5]))
    assert store.land(stream)
    assert store.records() == records


def test_a_landing_tells_what_waits(stream: Stream, store: Store, tmp_path: Path) -> None:
    records = write(tmp_path / "audit.jsonl", 9)
    stream.publish(stream.subject(ORIGIN), *batch(records))
    landing = store.landing(stream)
    status = landing.status()
    assert status["destination"] == f"folder://{store.path}"
    assert (status["messages_waiting"], status["stopped"]) == (1, {})
    assert status["kept_seconds"] == 14 * 86_400
    landing.close()
    landing = store.landing(stream)
    assert landing.land(10)
    assert landing.landed == len(records)


def test_a_log_that_is_not_stopped_is_not_resumed(stream: Stream, store: Store) -> None:
    with pytest.raises(ShipError, match="is not stopped"):
        store.resume(stream)
