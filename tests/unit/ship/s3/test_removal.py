"""What decides whether a segment is written again, without a server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_logs import Log, log
from stubbed import runs

from chained_logging.errors import DestinationError
from chained_logging.format.stub import Stub
from chained_logging.ship.s3.names import SEGMENTS, Name
from chained_logging.ship.s3.objects import content_of, gzip_of, unpack
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.s3.removal import Places, Removal
from chained_logging.ship.s3.store import Content, Version

__all__ = ["log"]  # a fixture


class Bucket:
    """Versions of objects in memory, oldest first. One that is put may get lost."""

    def __init__(self, log: Log, lost: bool = False) -> None:
        self.held: set[str] = set()
        self.until = 0.0
        self.lost = lost
        self.objects: dict[str, list[tuple[Version, bytes]]] = {}
        for begin in range(0, 40, 10):
            key = Name(SEGMENTS, begin, begin + 9).format()
            data = gzip_of(content_of(log.records[begin : begin + 10]))
            self.objects[key] = [(Version(key, f"v{begin}", 0.0), data)]

    clock = staticmethod(time.time)

    def base(self, origin: str) -> str:
        return ""

    def standing(self, base: str, kind: str, after: int = -1) -> list[Any]:
        return [(Name.parse(key), found[0][0]) for key, found in sorted(self.objects.items())]

    def grouped(self, prefix: str) -> dict[str, list[Version]]:
        return {prefix: [version for version, _ in self.objects[prefix]]}

    def get(self, version: Version) -> Content:
        data = dict((one.id, data) for one, data in self.objects[version.key])[version.id]
        return Content(data, "COMPLIANCE", self.until, version.id in self.held)

    def put(self, key: str, data: bytes, mode: str, until: float, *, once: bool = True) -> str:
        assert (mode, once) == ("COMPLIANCE", False)
        assert until > time.time() + 29 * 86_400
        if not self.lost:
            self.objects[key].append((Version(key, f"new-{key}", time.time()), data))
        return "id"

    def delete(self, version: Version) -> None:
        self.objects[version.key] = [one for one in self.objects[version.key] if one[0] != version]

    def policy(self) -> Policy:
        return Policy(30, "COMPLIANCE")

    def items(self) -> list[bytes]:
        return [unpack(data)[0] for found in self.objects.values() for _, data in found]


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(0, 20))
def test_places_meet_what_they_name(seqs: set[int], first: int, more: int) -> None:
    last = first + more
    ranges = [(low, high) for low, high in runs(seqs)]
    assert Places(ranges[::-1]).meet(first, last) is bool(seqs & {*range(first, last + 1)})


def test_a_decision_may_name_thousands_of_ranges() -> None:
    places = Places((seq, seq) for seq in range(0, 40_000, 2))
    began = time.process_time()
    assert sum(places.meet(seq, seq) for seq in range(40_000)) == 20_000
    assert time.process_time() - began < 2


def test_a_segment_is_replaced_by_one_with_stubs(log: Log) -> None:
    bucket = Bucket(log)
    removal = Removal(bucket, "o")
    assert sum(removal.remove([(3, 4), (12, 12)], lambda record: record.seq != 4)) == 2
    assert [clean for _, clean in removal.parts] == [True, True]
    wanted: list[Any] = list(log.records)
    for seq in (3, 12):
        wanted[seq] = Stub(seq, wanted[seq].hash)
    assert b"".join(bucket.items()) == content_of(wanted)
    assert not list(Removal(bucket, "o").remove([(3, 4)], lambda record: record.seq != 4))


def test_what_is_locked_or_held_stays(log: Log) -> None:
    bucket = Bucket(log)
    bucket.held.add("v0")
    removal = Removal(bucket, "o")
    assert not list(removal.remove([(3, 3)], lambda record: True))
    assert removal.parts[0][0].endswith("a legal hold is on it")
    bucket.held.clear()
    bucket.until = time.time() + 60
    removal = Removal(bucket, "o")
    assert not list(removal.remove([(3, 3)], lambda record: True))
    assert "is locked until 20" in removal.parts[0][0]


def test_the_old_version_stays_if_the_new_one_is_not_there(log: Log) -> None:
    bucket = Bucket(log, lost=True)
    before = bucket.items()
    with pytest.raises(DestinationError, match="is not there"):
        list(Removal(bucket, "o").remove([(3, 3)], lambda record: True))
    assert bucket.items() == before


def test_a_foreign_version_over_a_segment_never_becomes_the_oldest(
    log: Log, tmp_path: Path
) -> None:
    bucket = Bucket(log)
    key = Name(SEGMENTS, 0, 9).format()
    other = Log(tmp_path / "other.jsonl", 40)
    junk = Version(key, "junk", 1.0), gzip_of(content_of(other.records[:10]))
    bucket.objects[key].append(junk)
    oldest = bucket.objects[key][0]
    removal = Removal(bucket, "o")
    assert not list(removal.remove([(3, 3)], lambda record: True))
    assert junk in bucket.objects[key]
    assert bucket.objects[key][0] == oldest
    assert "another object was put over it" in removal.parts[0][0]
    assert not removal.parts[0][1]
    bucket.delete(junk[0])
    assert sum(Removal(bucket, "o").remove([(3, 3)], lambda record: True)) == 1
    assert len(bucket.objects[key]) == 1


def test_a_copy_of_a_segment_goes_too(log: Log) -> None:
    bucket = Bucket(log)
    key = Name(SEGMENTS, 0, 9).format()
    bucket.objects[key].append((Version(key, "copy", 1.0), bucket.objects[key][0][1]))
    assert sum(Removal(bucket, "o").remove([(3, 3)], lambda record: True)) == 1
    assert [version.id for version, _ in bucket.objects[key]] == [f"new-{key}"]


def test_a_version_with_more_stubs_never_becomes_the_oldest(log: Log) -> None:
    """As somebody may put it, or a run that was killed before a hold came."""
    bucket = Bucket(log)
    key = Name(SEGMENTS, 0, 9).format()
    stubs: list[Any] = [Stub(one.seq, one.hash) for one in log.records[1:10]]
    more = Version(key, "more", 1.0), gzip_of(content_of([log.records[0], *stubs]))
    bucket.objects[key].append(more)
    oldest = bucket.objects[key][0]
    removal = Removal(bucket, "o")
    assert not list(removal.remove([(3, 3)], lambda record: True))
    assert bucket.objects[key][0] == oldest
    assert "another object was put over it" in removal.parts[0][0]
