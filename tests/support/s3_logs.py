"""What the tests of S3 share: a log to be shipped, and what a reader finds afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from chains import EVENT
from servers_s3 import Bucket

from chained_logging import AuditLog, verify
from chained_logging.errors import ChainedLoggingError
from chained_logging.event.draft import draft
from chained_logging.format.line import leaf_hash, stored_line
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.restore import ASIDE, restore
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.sinks import open_sink
from chained_logging.sinks.checkpoint_file import read_checkpoints

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
        self.checkpoints: list[StoredCheckpoint] = [stored for _, stored in read_checkpoints(path)]

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


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl", 40)


def lines(records: Iterable[Record]) -> bytes:
    return b"".join(stored_line(*record[1:]) + b"\n" for record in records)


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


def kinds(bucket: Bucket, origin: str = ORIGIN, memory: Any = None, hours: float = 2) -> set[str]:
    """Return the kinds of fault that a reader finds, two hours later."""
    with opened(bucket, clock=lambda: time.time() + hours * HOUR) as store:
        if memory is not None:
            store.remember(origin, memory)
        faults = store.inspect(origin)
        for fault in faults:
            print(fault.kind, fault.where, fault.reason)
        return {fault.kind for fault in faults}


def read(bucket: Bucket, origin: str = ORIGIN) -> list[Record]:
    with opened(bucket) as store:
        return list(store.records(origin))


def shipped(bucket: Bucket, log: Log, mode: str = "COMPLIANCE") -> dict[str, Any]:
    """Prepare a bucket, ship a log in tens with a digest for each; return what is remembered."""
    prepared(bucket, mode)
    later = 0.0
    options: dict[str, Any] = {"digest_interval": 30, "clock": lambda: time.time() + later}
    with opened(bucket, signer=log.key, **options) as store:
        for end in range(10, len(log.records) + 1, 10):
            log.ship(store, 10, end)
            later += 31  # a digest is due, and no clock is further off than it may be
            store.tend(ORIGIN)
        return store.memory


def refused(call: Any, *arguments: Any, **options: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403, 409)


def locked(days: float = 30) -> dict[str, Any]:
    return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": time.time() + days * DAY}


def forged(after: Record, count: int = 3) -> list[Record]:
    """Return entries that anybody could compute, chained to another."""
    made = [after]
    for _ in range(count):
        body = draft({"action": "forged", **EVENT}).body(made[-1].seq + 1, made[-1].hash)
        made.append(Record(made[-1].seq + 1, body, leaf_hash(body)))
    return made[1:]


def check_restored(bucket: Bucket, log: Log, target: Path) -> None:
    """Check that a restore with the log's key brings back the log, or its true beginning, and names
    what is wrong with the store; or that it refuses, and leaves nothing behind."""
    pem = public_pem(log.key.public_key)
    with opened(bucket) as store:
        faults = store.inspect(log.origin)
        try:
            done = restore(store, log.origin, target, public_key=pem)
        except (ChainedLoggingError, OSError, ValueError) as refusal:
            print(f"restore: {refusal}")
            assert faults
            assert not list(target.parent.glob(f"{target.name}*"))
            return
    for sentence in done.sentences(target):
        print(f"restore: {sentence}")
    restored = list(open_sink(target).records())
    assert restored[: done.entries] == log.records[: done.entries]
    assert done.entries == len(log.records) or done.set_aside or done.problems
    assert bool(done.problems) == any(fault.kind != "foreign" for fault in faults)
    if any(fault.kind == "foreign" for fault in faults):
        assert done.foreign or target.with_name(target.name + ASIDE).exists()
    assert verify(target, public_key=pem).intact
