"""Messages that can never be landed: each is kept and named, and keeps nobody else waiting."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats_logs import Store, Stream, batch, stream, write
from postgres_logs import Database
from servers_postgres import PostgresServer

from chained_logging.errors import DestinationError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.ship.nats import encode
from chained_logging.ship.postgres import PostgresDestination

__all__ = ["stream"]  # a fixture

GOOD = ["example.com/good-1", "example.com/good-2"]


def changed(record: Record, old: bytes, new: bytes) -> Record:
    """Return an entry with another text and the right hash, as anybody can compute it."""
    assert old in record.body
    body = record.body.replace(old, new)
    return Record(record.seq, body, leaf_hash(body))


def with_note(records: list[Record], note: str, size: int) -> tuple[dict[str, str], bytes]:
    stored = StoredCheckpoint(note, size, "{}", None)
    return encode(0, Head(records[-1].seq, records[-1].hash), records, [stored])


DEEP = b'"context":{"x":' + b"[" * 30_000 + b"]" * 30_000 + b',"format"'
POISON: dict[str, Any] = {
    "a NUL": lambda r: batch([changed(r[0], b'"software":"', b'"software":"\x00')]),
    "an escaped NUL in a name": lambda r: batch([changed(r[0], b'"audit_log"', b'"a\\u0000b"')]),
    "deep JSON": lambda r: batch([changed(r[0], b'"context":{"format"', DEEP)]),
    "no JSON": lambda r: batch([changed(r[0], b'"success"', b"success")]),
    "no gzip": lambda r: (batch(r)[0], b"\x1f\x8b nothing"),
    "a checkpoint of more than there is": lambda r: with_note(r, "x\n900\nAAAA\n\n- x y\n", 900),
    "a checkpoint with a NUL": lambda r: with_note(r, "x\n1\n\x00\n", 1),
    "a checkpoint of a huge size": lambda r: with_note(r, "x\n1\nx\n", 10**30),
}


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    with contextlib.closing(Database(postgres_server)) as made:
        yield made


def test_each_poison_stops_its_own_log_alone_in_two_landings_that_begin_with_it(
    stream: Stream, database: Database, tmp_path: Path
) -> None:
    origins = {what: f"example.com/poison-{n}" for n, what in enumerate(POISON)}
    for what, origin in origins.items():  # before anything else, as after a restart
        records = write(tmp_path / f"{origin[-1]}.jsonl", 2, origin)
        stream.publish(stream.subject(origin), *POISON[what](records))
    good = {origin: write(tmp_path / f"{origin[-6:]}.jsonl", 30, origin) for origin in GOOD}
    for origin, records in good.items():
        stream.publish(stream.subject(origin), *batch(records))
    url = database.server.url(database.name, "test_shipper")
    alerts: list[str] = []
    ended: list[bool] = []

    def land() -> None:
        store = Store(tmp_path)
        store.open = lambda: PostgresDestination(url)  # type: ignore[assignment,return-value]
        store.alerts = alerts
        ended.append(store.land(stream, 60))

    threads = [threading.Thread(target=land) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert ended == [True, True]
    for origin, records in good.items():
        assert list(database.reader.records(origin)) == records
    for what, origin in origins.items():
        assert any(origin in alert for alert in alerts), what
    assert len({str(dead.headers["Audit-Subject"]) for dead in stream.dead()}) == len(POISON)
    # After a restart, with something new.
    more = write(tmp_path / f"{GOOD[0][-6:]}.jsonl", 5, GOOD[0])
    stream.publish(stream.subject(GOOD[0]), *batch(more[31:]))
    land()
    assert ended[-1]
    assert list(database.reader.records(GOOD[0])) == more


def test_a_log_that_cannot_be_written_for_now_keeps_no_other_waiting(
    stream: Stream, database: Database, tmp_path: Path
) -> None:
    held, free = GOOD
    logs = {origin: write(tmp_path / f"{origin[-6:]}.jsonl", 3, origin) for origin in GOOD}
    for origin, records in logs.items():
        stream.publish(stream.subject(origin), *batch(records))

    class Holding(PostgresDestination):
        """A database in which somebody holds a lock on one log."""

        def write(self, origin: str, *rest: Any) -> None:
            if origin == held:
                raise DestinationError("lock timeout")
            super().write(origin, *rest)

    url = database.server.url(database.name, "test_shipper")
    store = Store(tmp_path)
    store.open = lambda: Holding(url)  # type: ignore[assignment,return-value]
    assert not store.land(stream, 4)
    assert list(database.reader.records(free)) == logs[free]
    store.open = lambda: PostgresDestination(url)  # type: ignore[assignment,return-value]
    assert store.land(stream, 30)
    assert list(database.reader.records(held)) == logs[held]
