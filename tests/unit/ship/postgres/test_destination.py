"""What a shipper writes to PostgreSQL, and what a reader reads there."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import time
from pathlib import Path

import pytest
from chains import EVENT
from postgres_logs import (
    ORIGIN,
    Database,
    Unguarded,
    forged,
    plain,
    records_of,
)

from chained_logging import AuditLog
from chained_logging.errors import Refused
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.keys import PrivateKey
from chained_logging.ship.postgres import destination as module
from chained_logging.ship.postgres.destination import PostgresDestination, _timestamp
from chained_logging.sinks import open_sink


def test_what_was_written_is_read_back_byte_for_byte(filled: Database, records: list[Record]):
    assert list(filled.reader.records(ORIGIN)) == records
    assert list(filled.reader.records(ORIGIN, 7)) == records[7:]
    assert filled.shipper.head(ORIGIN) == Head(9, records[-1].hash)
    assert filled.shipper.head("another") == EMPTY
    assert filled.shipper.origins() == filled.reader.origins() == [ORIGIN]
    assert filled.faults() == ""
    assert filled.broken() is None


def test_signatures_and_checkpoints_are_kept_and_passed_over_the_second_time(
    database: Database, tmp_path: Path
):
    path = tmp_path / "audit.db"
    with AuditLog(path, origin=ORIGIN, key=PrivateKey.generate(), sign="each") as log:
        for _ in range(3):
            log.append_many(plain(10))
            log.checkpoint()
    sink = open_sink(path)
    records, checkpoints = list(sink.records()), [stored for _, stored in sink.checkpoints()]
    assert len(checkpoints) >= 3
    with pytest.raises(Refused, match=f"a checkpoint of {ORIGIN} covers"):
        database.shipper.write(ORIGIN, records[:-1], checkpoints)
    assert database.shipper.head(ORIGIN) == EMPTY  # all or none
    database.shipper.write(ORIGIN, records, checkpoints)
    database.shipper.write(ORIGIN, [], checkpoints)
    assert list(database.reader.records(ORIGIN)) == records
    assert list(database.reader.checkpoints(ORIGIN)) == checkpoints
    assert database.faults() == ""


def test_many_logs_stand_there_apart(database: Database, tmp_path: Path):
    logs = {
        origin: records_of(tmp_path, plain(5), origin)
        for origin in ("example.com/a", "example.com/ä/日本", "b" * 1024)
    }
    for origin, stored in logs.items():
        database.shipper.write(origin, stored[:3], [])
    for origin, stored in logs.items():
        database.shipper.write(origin, stored[3:], [])
    assert database.reader.origins() == sorted(logs, key=str.encode)
    for origin, stored in logs.items():
        assert list(database.reader.records(origin)) == stored


def test_records_are_read_page_by_page_across_months(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now = time.time()
    events = [
        {"action": "read", **EVENT, "timestamp": now - random.Random(n).randrange(300) * 86_400}
        for n in range(400)
    ]
    records = records_of(tmp_path, events)
    database.shipper.write(ORIGIN, records, [])
    monkeypatch.setattr(module, "_RECORDS", module._RECORDS.replace("LIMIT 1000", "LIMIT 7"))
    monkeypatch.setattr(module, "_PAGE", 7)
    assert list(database.reader.records(ORIGIN)) == records
    tables = database.sql(
        "SELECT DISTINCT tableoid::regclass::text FROM chained_logging.entries ORDER BY 1"
    )
    assert len(tables) >= 9
    assert ("chained_logging.entries_default",) not in tables
    assert database.faults() == ""


def test_a_clock_that_is_far_off_blocks_nothing(database: Database, tmp_path: Path):
    times = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"]
    events = [{"action": "read", **EVENT, "timestamp": text} for text in times]
    records = records_of(tmp_path, events)
    database.shipper.write(ORIGIN, records, [])
    assert list(database.reader.records(ORIGIN)) == records
    assert database.sql("SELECT count(*) FROM chained_logging.entries_default") == [(3,)]
    assert database.faults() == ""


def test_the_end_of_a_log_is_held_against_its_entries(
    filled: Database, records: list[Record]
) -> None:
    end = "UPDATE chained_logging.heads SET seq = {}, hash = '{}'"
    for change, said in (
        (end.format(12, "f" * 64), "entries up to 12 of .* were stored, and those up to 9 are"),
        (end.format(9, "f" * 64), "is not the one that the trigger let in"),
        ("DELETE FROM chained_logging.heads", "heads no longer has the end of"),
    ):
        with Unguarded(filled):
            filled.sql(change)
        found = [fault.reason for fault in filled.reader.inspect_log(ORIGIN)]
        assert any(re.search(said, reason) for reason in found), found


def test_the_timestamp_of_a_body_is_its_top_level_one(records: list[Record]) -> None:
    for record in (*records, forged(records[-1], note=',"timestamp":"2020"', timestamp2="x")):
        assert _timestamp(record) == json.loads(record.body)["timestamp"]


def test_a_month_without_a_partition_is_a_warning_once(
    filled: Database, caplog: pytest.LogCaptureFixture
) -> None:
    filled.shipper.tend(ORIGIN)
    assert caplog.text == ""
    after = dt.datetime.now(dt.UTC).date().replace(day=1) + dt.timedelta(days=31)
    filled.sql(f"DROP TABLE chained_logging.entries_{after:%Y_%m}")
    again = PostgresDestination(filled.server.url(filled.name, "test_shipper"))
    for _ in range(2):
        again.tend(ORIGIN)
    again.close()
    assert caplog.text.count(f"has no partition for {after:%Y_%m}: run init there again") == 1
