"""One log's entries out of segments that anybody may have added to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from s3_logs import ORIGIN, Log, forged, lines

from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.names import CHECKPOINTS, SEGMENTS, Name
from chained_logging.ship.s3.objects import describe, gzip_of
from chained_logging.ship.s3.path import Path
from chained_logging.ship.s3.store import Version


class Bucket:
    """Objects in memory, as a reader has them. What was put first is the oldest."""

    def __init__(self) -> None:
        self.facts: dict[Any, Any] = {}
        self.pinned: bytes | None = None
        self._objects: list[tuple[Name, Version, Any]] = []

    def put(self, records: list[Record], mark: str = "") -> None:
        name = Name(SEGMENTS, records[0].seq, records[-1].seq, mark)
        self._add(name, gzip_of(lines(records)))

    def note(self, stored: StoredCheckpoint) -> None:
        self._add(Name(CHECKPOINTS, stored.size, stored.size), stored)

    def _add(self, name: Name, content: Any) -> None:
        number = len(self._objects)
        self._objects.append((name, Version(name.format(), str(number), float(number)), content))

    def base(self, origin: str) -> str:
        return f"{origin}/"

    def standing(self, base: str, kind: str, after: int = -1) -> list[Any]:
        found = [one[:2] for one in self._objects if one[0].kind == kind and one[0].first > after]
        return sorted(found)

    def notes(self, origin: str, size: int, after: int = -1) -> Iterator[Any]:
        yield from self.standing("", CHECKPOINTS, after)

    def digests(self, base: str) -> Iterator[Any]:
        return iter(())

    def store_keys(self, origin: str) -> list[Any]:
        return []

    def read(self, name: Name, version: Version) -> Any:
        return describe(name, self._objects[int(version.id)][2], None, None)

    def checkpoint(self, name: Name, version: Version) -> StoredCheckpoint:
        found: StoredCheckpoint = self._objects[int(version.id)][2]
        return found


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_segments_are_read_in_order_each_entry_once(bucket: Bucket, log: Log) -> None:
    for first, last in ((20, 40), (0, 15), (10, 25)):
        bucket.put(log.records[first:last])
    for stored in log.checkpoints:
        bucket.note(stored)
    path = Path(bucket, ORIGIN)
    assert path.end == EMPTY
    assert list(path.stored()) == log.records
    assert path.end == Head(39, log.records[-1].hash)
    size = log.checkpoints[-1].size
    assert (path.vouched, path.vouched_end) == (size, Head(size - 1, log.records[size - 1].hash))
    assert [key.public_key for key in path.keys] == [log.key.public_key]
    assert len(bucket.facts) == 3


def test_of_two_that_go_on_the_one_is_read_that_leads_to_a_signature(
    bucket: Bucket, log: Log
) -> None:
    bucket.put(log.records[:10])
    tail = forged(log.records[9], 10)
    bucket.put(tail)  # first, and chained as well
    bucket.put(log.records[10:20], log.records[19].hash[:16])
    bucket.put(log.records[20:])
    for stored in log.checkpoints:
        bucket.note(stored)
    path = Path(bucket, ORIGIN)
    assert list(path.stored()) == log.records
    assert Name(SEGMENTS, 10, 19) not in path.segments


def test_a_forged_end_is_read_and_vouched_for_by_nobody(bucket: Bucket, log: Log) -> None:
    bucket.put(log.records)
    bucket.put(forged(log.records[-1]))
    for stored in log.checkpoints:
        bucket.note(stored)
    path = Path(bucket, ORIGIN)
    assert [record.seq for record in path.stored()] == list(range(43))
    assert path.vouched <= 40


def test_what_the_chain_does_not_lead_to_is_never_read(bucket: Bucket, log: Log) -> None:
    bucket.put(log.records[:10])
    stranger = forged(log.records[19]._replace(hash="f" * 64))
    bucket.put(stranger)
    assert list(Path(bucket, ORIGIN).stored()) == log.records[:10]


def test_a_segment_is_read_up_to_what_is_wrong(bucket: Bucket, log: Log) -> None:
    bucket.put([*log.records[:5], *forged(log.records[3], 1)[:1], *log.records[6:10]])
    found = list(Path(bucket, ORIGIN).stored())
    assert found == log.records[:5]


def test_of_two_logs_of_one_name_the_one_with_the_given_key_is_read(
    bucket: Bucket, log: Log, tmp_path: Any
) -> None:
    other = Log(tmp_path / "other.jsonl", 40)
    bucket.put(other.records)
    bucket.put(log.records, log.records[-1].hash[:16])
    assert list(Path(bucket, ORIGIN).stored()) == other.records
    bucket.pinned = log.key.public_key
    assert list(Path(bucket, ORIGIN).stored()) == log.records
    bucket.pinned = PrivateKey.generate().public_key
    assert list(Path(bucket, ORIGIN).stored()) == other.records
