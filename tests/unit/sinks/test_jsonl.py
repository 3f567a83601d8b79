"""A JSON Lines file: a write is whole or not at all, and a torn line is moved aside."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sink_records import chained

from chained_logging.errors import NotALog
from chained_logging.format.line import stored_line
from chained_logging.sinks.jsonl import JsonlSink
from chained_logging.sinks.segments import read_manifest, segment_paths


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def sink(log: Path) -> Iterator[JsonlSink]:
    sink = JsonlSink(log)
    sink.head()
    yield sink
    sink.close()


def test_a_line_is_the_body_with_its_hash(sink: JsonlSink, log: Path) -> None:
    (record,) = chained(1)
    sink.write([record])
    assert log.read_bytes() == stored_line(record.body, record.hash, None) + b"\n"


def test_a_write_that_fails_in_the_middle_leaves_nothing(
    sink: JsonlSink, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = chained(3)
    sink.write(records[:1])
    before, write = log.read_bytes(), os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) > 100:
            return write(fd, data[: len(data) - 50])
        raise OSError(errno.ENOSPC, "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="full"):
            sink.write(records[1:])
    assert log.read_bytes() == before
    assert sink.head() == (0, records[0].hash)
    sink.write(records[1:])
    assert list(sink.records()) == records


def test_a_torn_line_is_moved_aside_and_recorded(log: Path, sink: JsonlSink) -> None:
    records = chained(2)
    sink.write(records[:1])
    torn = stored_line(records[1].body, records[1].hash, None)[:99]
    with open(log, "ab") as file:
        file.write(torn)
    assert sink.head() == (0, records[0].hash)
    (notice,) = sink.notices
    assert notice.context["bytes"] == 99
    assert (log.parent / notice.context["kept_in"]).read_bytes() == torn
    sink.write(records[1:])
    assert list(sink.records()) == records


def test_a_file_that_is_not_a_log_is_left_as_it_is(log: Path) -> None:
    log.write_bytes(b"hello\nworld\n")
    with pytest.raises(NotALog):
        JsonlSink(log).head()
    assert log.read_bytes() == b"hello\nworld\n"


def test_a_file_that_was_moved_is_continued_in_a_new_one(sink: JsonlSink, log: Path) -> None:
    records = chained(2)
    sink.write(records[:1])
    log.rename(log.with_name("moved.jsonl"))
    assert sink.head() == (0, records[0].hash)  # no second genesis
    (notice,) = sink.notices
    assert notice.action == "log.reopen"
    sink.write(records[1:])
    assert log.read_bytes() == stored_line(records[1].body, records[1].hash, None) + b"\n"


def test_a_large_file_is_sealed_and_the_chain_goes_on(log: Path) -> None:
    records = chained(6)
    size = len(stored_line(records[1].body, records[1].hash, None)) + 1
    sink = JsonlSink(log, max_bytes=2 * size + 10)
    sink.head()
    for record in records:
        sink.write([record])
    assert [path.name[6:26] for path in segment_paths(log)] == [f"{0:020d}", f"{2:020d}"]
    assert list(sink.records()) == records
    assert list(sink.records(3)) == records[3:]
    assert sink.sealed() == (3, records[3].hash)
    assert [segment.last_seq for segment in read_manifest(log)] == [1, 3]
    sink.close()


def test_an_old_file_is_sealed_by_the_clock(log: Path) -> None:
    sink = JsonlSink(log, max_age=1e-9)
    sink.head()
    sink.tend()
    assert not segment_paths(log)  # an empty file is not
    sink.write(records := chained(1))
    sink.tend()
    assert len(segment_paths(log)) == 1
    assert sink.head() == (0, records[0].hash)
    sink.close()


def test_after_a_power_failure_damage_behind_the_last_sync_is_moved_aside(log: Path) -> None:
    records = chained(4)
    sink = JsonlSink(log)
    sink.head()
    sink.write(records)
    sink.close()
    data = log.read_bytes()
    lines = data.splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[1] + b"\0" * len(lines[2]) + lines[3])
    sink = JsonlSink(log)
    sink.recheck(synced=2)  # entry 2 was on the disk: that was no power failure
    assert not sink.notices
    sink.recheck(synced=1)
    assert sink.notices[0].context["cause"] == "lines damaged by a power failure"
    assert sink.head() == (1, records[1].hash)
    sink.close()
