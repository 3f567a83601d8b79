"""Entries are removed from segments in S3 once their locks have ended, and never before."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import command, run
from purged_logs import decide, old
from s3_logs import DAY, ORIGIN, opened
from servers_s3 import Bucket

from chained_logging import AuditLog, verify
from chained_logging.errors import DestinationError
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys import PrivateKey, public_pem
from chained_logging.review.restore import restore
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.ship.shipper import Shipper
from chained_logging.sinks.lines import line_of
from chained_logging.verify import Report, Stream

DAYS = 30
LONG = 60 * DAY  # seconds by which the clocks of a test may differ
GOING = [3, 4, 5, 11, 12, 21]
GONE = 2.5  # seconds until the locks of what is shipped end


class Shipped:
    """A log in a bucket, whose locks end in a moment."""

    def __init__(self, bucket: Bucket, folder: Path, wait: bool = True) -> None:
        self.bucket, self.key = bucket, PrivateKey.generate()
        assert init(bucket.url, retention=f"{DAYS}d") == []
        past = time.time() - DAYS * DAY + GONE
        begun = time.time()
        clock = lambda: past + time.time() - begun  # noqa: E731
        with AuditLog(folder / "audit.jsonl", key=self.key, origin=ORIGIN) as log:
            log.append_many(old(40))
            self.bodies = {record.seq: record.body for record in log.records()}
            self.decision = decide(log, GOING)
            log.checkpoint()
            records = list(log.records())
            with self.opened(signer=self.key, clock=clock) as store:
                for begin in range(0, len(records), 10):
                    store.write(ORIGIN, records[begin : begin + 10], [])
                log.durable_head()
            Shipper(log, [bucket.url], signer=self.key).ship(30)
        self.records = records
        if wait:
            time.sleep(max(0.0, begun + GONE + 1.5 - time.time()))

    def opened(self, **options: Any) -> Any:
        return opened(self.bucket, slack=LONG, **options)

    def purge(self, goes: Any = lambda record: True, **options: Any) -> list[tuple[str, bool]]:
        ranges = [tuple(pair) for pair in self.decision.context["ranges"]]
        with self.opened(**options) as store:
            sum(store.purge(ORIGIN, self.decision.seq, ranges, goes))
            return list(store.give_back())

    def left(self) -> dict[int, bool]:
        """Return by seq whether the entry is still there."""
        with self.opened() as store:
            return {item.seq: isinstance(item, Record) for item in store.stored(ORIGIN)}

    def bytes(self) -> Iterator[bytes]:
        """Yield all that any version of any object holds."""
        pages = self.bucket.client.list_object_versions(Bucket=self.bucket.name)
        for one in pages["Versions"]:
            answer = self.bucket.client.get_object(
                Bucket=self.bucket.name, Key=one["Key"], VersionId=one["VersionId"]
            )
            data = answer["Body"].read()
            yield gzip.decompress(data) if one["Key"].endswith(".gz") else data

    def report(self) -> Report:
        """Return what the verifier says of the entries. (The locks of a test are too short.)"""
        with self.opened() as store:
            lines = [line_of(item) for item in store.stored(ORIGIN)]
            notes = [(one.note.encode(), one.timestamp) for one in store.checkpoints(ORIGIN)]
        key = public_pem(self.key.public_key)
        return verify(stream=Stream("bucket", lines, notes), public_key=key)

    def faults(self) -> list[tuple[str, str]]:
        with self.opened() as store:
            list(store.stored(ORIGIN))
            return [(fault.kind, fault.reason) for fault in store.inspect(ORIGIN)]


@pytest.fixture
def log(s3: Bucket, tmp_path: Path) -> Shipped:
    return Shipped(s3, tmp_path)


def test_what_is_named_goes_and_its_stubs_stay(log: Shipped, tmp_path: Path) -> None:
    before = log.faults()
    parts = log.purge()
    assert [clean for _, clean in parts] == [True, True, True]
    left = log.left()
    assert [seq for seq, there in left.items() if not there] == GOING
    assert sorted(left) == [record.seq for record in log.records]
    everything = b"".join(log.bytes())
    assert not [seq for seq in GOING if log.bodies[seq][:-1] in everything]
    assert all(body[:-1] in everything for seq, body in log.bodies.items() if seq not in GOING)
    assert log.faults() == before
    assert log.report().intact
    with log.opened() as store:
        ranges = [tuple(pair) for pair in log.decision.context["ranges"]]
        assert not store.any_of(ORIGIN, ranges)
        assert store.any_of(ORIGIN, [(6, 6)])
        target = tmp_path / "restored.jsonl"
        restore(store, ORIGIN, target, public_key=public_pem(log.key.public_key))
    assert verify(target).intact


def test_nothing_goes_before_its_lock_ends(s3: Bucket, tmp_path: Path) -> None:
    log = Shipped(s3, tmp_path, wait=False)
    parts = log.purge(clock=lambda: time.time() - 60)
    assert all("is locked until 20" in part and not clean for part, clean in parts)
    assert all(log.left().values())


@pytest.mark.long
def test_a_held_entry_stays(log: Shipped) -> None:
    log.purge(lambda record: record.seq != 12)
    assert [seq for seq, there in log.left().items() if not there] == [3, 4, 5, 11, 21]


@pytest.mark.long
def test_an_object_under_a_legal_hold_stays(log: Shipped) -> None:
    with log.opened() as store:
        assert store.legal_hold(ORIGIN, True) > 0
    assert not any(clean for _, clean in log.purge())
    assert all(log.left().values())
    with log.opened() as store:
        store.legal_hold(ORIGIN, False)
    assert all(clean for _, clean in log.purge())


@pytest.mark.long
def test_the_newest_segment_stays(log: Shipped) -> None:
    with log.opened() as store:
        removed = sum(store.purge(ORIGIN, 0, [(40, 45)], lambda record: True))
        assert removed == 0
        assert "it is the newest" in next(iter(store.give_back()))[0]
        assert store.head(ORIGIN).seq == log.records[-1].seq


@pytest.mark.parametrize("at", [1, 2])
def test_a_removal_that_is_cut_short_is_finished_by_the_next(
    moto: Bucket, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Shipped(moto, tmp_path)
    calls = [0]

    def dying(method: Any) -> Any:
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] > at:
                raise DestinationError("killed")
            return method(self, *arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("put", "delete"):
            patch.setattr(S3Destination, name, dying(getattr(S3Destination, name)))
        try:
            log.purge()
        except DestinationError:
            assert at < 6
    assert sorted(log.left()) == [record.seq for record in log.records]
    assert not [fault for fault in log.faults() if fault[0] in ("replaced", "missing", "foreign")]
    log.purge()
    assert [seq for seq, there in log.left().items() if not there] == GOING
    assert not [seq for seq in GOING if log.bodies[seq][:-1] in b"".join(log.bytes())]


def test_a_log_with_stubs_is_shipped_to_a_new_bucket(moto: Bucket, tmp_path: Path) -> None:
    items = [
        Stub(record.seq, record.hash) if record.seq in GOING else record
        for record in Shipped(moto, tmp_path, wait=False).records
    ]
    prefix = f"{moto.url}/copy"
    init(prefix, retention=f"{DAYS}d")
    store = S3Destination(prefix)
    for begin in range(0, len(items), 3):  # a batch that begins and ends with stubs
        store.write(ORIGIN, items[begin : begin + 3], [])
    assert list(store.stored(ORIGIN)) == items
    assert list(store.records(ORIGIN)) == [item for item in items if isinstance(item, Record)]
    assert store.head(ORIGIN).seq == items[-1].seq
    store.close()


def test_the_command_removes_what_the_logs_key_decided(log: Shipped, tmp_path: Path) -> None:
    key = tmp_path / "log.pem"
    key.write_text(public_pem(log.key.public_key))
    options = ("--origin", ORIGIN, "--public-key", key)
    assert "6" in run("retention", "plan", log.bucket.url, *options)
    command("retention", "apply", log.bucket.url, *options, "--yes")
    assert [seq for seq, there in log.left().items() if not there] == GOING
