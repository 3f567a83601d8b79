"""Sealed segments and the manifest that lists them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sink_records import chained

from chained_logging.errors import NotALog
from chained_logging.format.line import GENESIS, stored_line
from chained_logging.format.record import Head, Record
from chained_logging.format.stub import Stub
from chained_logging.sinks.lines import line_of
from chained_logging.sinks.segments import (
    complete_manifest,
    describe,
    listed_name,
    manifest_path,
    read_manifest,
    segment_path,
    segment_paths,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def seal(log: Path, records: list[Record]) -> Path:
    path = segment_path(log, records[0].seq)
    path.write_bytes(b"".join(stored_line(r.body, r.hash, None) + b"\n" for r in records))
    return path


def test_names_sort_as_entries_do(log: Path) -> None:
    assert segment_path(log, 7).name == "audit.00000000000000000007.jsonl"
    for first in (100, 20, 3):
        segment_path(log, first).touch()
    for other in ("audit.7.jsonl", "audit.00000000000000000007.jsonl.gz", "other.jsonl"):
        (log.parent / other).touch()
    assert segment_paths(log) == [segment_path(log, first) for first in (3, 20, 100)]


def test_a_segment_is_described_by_its_ends(log: Path) -> None:
    records = chained(5)
    seal(log, records[:2])
    path = seal(log, records[2:])
    found = describe(path)
    assert (found.first_seq, found.last_seq) == (2, 4)
    assert (found.first_prev_hash, found.last_hash) == (records[1].hash, records[4].hash)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.bytes, found.file) == (path.stat().st_size, path.name)
    assert describe(segment_path(log, 0)).first_prev_hash == GENESIS
    path.write_bytes(b"hello\n")
    with pytest.raises(NotALog, match="is not a segment"):
        describe(path)


def test_a_segment_may_begin_and_end_with_stubs(log: Path) -> None:
    records = chained(6)
    seal(log, records[:2])
    path = segment_path(log, 2)
    stubs = [Stub(record.seq, record.hash) for record in records]
    path.write_bytes(b"".join(line_of(item) + b"\n" for item in (stubs[2], records[3], stubs[4])))
    listed = complete_manifest(log)[1]
    assert (listed.first_seq, listed.last_seq) == (2, 4)
    assert (listed.first_prev_hash, listed.last_hash) == (records[1].hash, records[4].hash)
    assert describe(path).first_prev_hash == ""  # nothing tells it


def test_what_a_crash_left_unlisted_is_listed(log: Path) -> None:
    records = chained(2)
    seal(log, records)
    (first,) = complete_manifest(log)
    seal(log, chained(2, Head(1, records[1].hash)))
    assert complete_manifest(log)[0] == first
    assert [segment.first_seq for segment in read_manifest(log)] == [0, 2]
    assert complete_manifest(log) == read_manifest(log)


def test_a_torn_last_line_is_skipped_and_written_again(log: Path) -> None:
    for first in (0, 2):
        seal(log, chained(2, Head(first - 1, "f" * 64)))
    whole = complete_manifest(log)
    manifest = manifest_path(log)
    data = manifest.read_bytes()
    manifest.write_bytes(data[:-20])
    assert read_manifest(log) == whole[:1]
    assert complete_manifest(log) == whole
    assert manifest.read_bytes() == data


def test_a_line_that_describes_no_segment_is_refused(log: Path) -> None:
    assert read_manifest(log) == []
    manifest_path(log).write_bytes(b'{"file":"x"}\n')
    with pytest.raises(NotALog, match="is not a manifest"):
        read_manifest(log)


def test_a_name_that_is_not_utf8_is_spelled_out(tmp_path: Path) -> None:
    assert listed_name(tmp_path / "a\udcff.jsonl") == "a\\xff.jsonl"
