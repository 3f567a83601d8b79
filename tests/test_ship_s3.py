"""S3 with Object Lock: every entry once, whatever happens, and every attack refused or named."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import EVENT, check_chain

from chained_logging import AuditLog, chain
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.sinks import Record, StoredCheckpoint, open_sink
from chained_logging.sinks.checkpoint_file import checkpoint_path, read_checkpoints

if TYPE_CHECKING:
    from servers_s3 import Bucket

pytest_plugins = ("servers_s3",)

HOUR = 3600.0
DAY = 24 * HOUR
ORIGIN = "example.com/audit/web"


class Log:
    """A log on this machine, to be shipped."""

    def __init__(self, path: Path, entries: int, origin: str = ORIGIN) -> None:
        self.path = path
        self.key = PrivateKey.generate()
        self.origin = origin
        with AuditLog(path, key=self.key, origin=origin, checkpoint_every=10**9) as log:
            for begin in range(1, entries, max(1, entries // 4)):
                count = min(max(1, entries // 4), entries - begin)
                log.append_many([{"action": f"read-{begin + i}", **EVENT} for i in range(count)])
                log.checkpoint()
        self.records: list[Record] = list(open_sink(path).records())
        self.checkpoints: list[StoredCheckpoint] = list(read_checkpoints(path))

    def ship(self, store: S3Destination, size: int, end: int | None = None) -> None:
        """Ship what is not there yet, `size` entries at a time, as the shipper does."""
        head = store.head(self.origin)
        assert head.seq < 0 or self.records[head.seq].hash == head.hash
        begin, end = head.seq + 1, end or len(self.records)
        while begin < end:
            part = self.records[begin : min(begin + size, end)]
            before, begin = begin, begin + len(part)
            covered = [c for c in self.checkpoints if before < c.size <= begin]
            store.write(self.origin, part, covered)


def lines(records: Sequence[Record] | Iterator[Record]) -> bytes:
    return b"".join(chain.stored_line(*record[1:]) + b"\n" for record in records)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl", 40)


@contextlib.contextmanager
def opened(bucket: Bucket, **options: Any) -> Iterator[S3Destination]:
    store = S3Destination(bucket.url, **options)
    try:
        yield store
    finally:
        store.close()


def prepared(bucket: Bucket, mode: str = "COMPLIANCE") -> Bucket:
    assert init(bucket.url, retention="30d", mode=mode) == []
    return bucket


def kinds(bucket: Bucket, origin: str = ORIGIN, place: Any = None, hours: float = 2) -> set[str]:
    """Return the kinds of fault that a reader finds, two hours later."""
    with opened(bucket, clock=lambda: time.time() + hours * HOUR) as store:
        if place is not None:
            store.remember(origin, place)
        faults = store.inspect(origin)
        for fault in faults:
            print(fault.kind, fault.file, fault.reason)
        return {fault.kind for fault in faults}


def read(bucket: Bucket, origin: str = ORIGIN) -> list[Record]:
    with opened(bucket) as store:
        return list(store.records(origin))


# --- What is shipped comes back.


def test_a_log_comes_back_byte_for_byte(s3: Bucket, tmp_path: Path) -> None:
    origins = ["a", "a/b", "a-b", "ü/100%", ".."]
    logs = [Log(tmp_path / f"{n}.jsonl", 20 + n, origin) for n, origin in enumerate(origins)]
    prepared(s3)
    with opened(s3) as store:
        for log in logs:
            assert store.head(log.origin).seq == -1
            log.ship(store, 7)
            assert store.head(log.origin) == log.records[-1][0::2]
    with opened(s3) as store:
        assert store.origins() == sorted(origins)
        for log in logs:
            copy = tmp_path / f"copy-{log.path.name}"
            copy.write_bytes(lines(store.records(log.origin)))
            assert copy.read_bytes() == log.path.read_bytes()
            check_chain(copy)
            checkpoints = b"".join(
                chain.canonical(c._asdict()) + b"\n" for c in store.checkpoints(log.origin)
            )
            assert checkpoints == checkpoint_path(log.path).read_bytes()
            for start in (0, 1, 6, 7, 13, 20, 99):
                assert list(store.records(log.origin, start)) == log.records[start:]
            assert store.inspect(log.origin) == []
            assert kinds(s3, log.origin) == set()
