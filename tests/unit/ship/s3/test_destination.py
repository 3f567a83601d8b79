"""The destination: puts segments and checkpoints, and reads them again."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from s3_logs import (
    ORIGIN,
    Log,
    forged,
    lines,
    locked,
    opened,
    prepared,
    read,
    refused,
    shipped,
)
from servers_s3 import Bucket

from chained_logging import AuditLog
from chained_logging.errors import Refused, Unfit
from chained_logging.format.record import EMPTY, Head
from chained_logging.ship.ours import OurLog
from chained_logging.ship.s3 import destination as module
from chained_logging.ship.s3.names import Name
from chained_logging.ship.s3.objects import Facts, Item, gzip_of
from chained_logging.ship.s3.store import Version
from chained_logging.sinks.checkpoint_file import checkpoint_path


def test_a_segment_opens_with_gunzip_and_is_a_part_of_the_log(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 15)
    assert [version["Key"].rpartition("/")[2] for version in moto.versions("/segments/")] == [
        f"{first:020d}-{last:020d}.jsonl.gz" for first, last in ((0, 14), (15, 29), (30, 39))
    ]
    parts = [gzip.decompress(moto.content(version)) for version in moto.versions("/segments/")]
    assert b"".join(parts) == log.path.read_bytes()
    parts = [moto.content(version) for version in moto.versions("/checkpoints/")]
    assert b"".join(parts) == checkpoint_path(log.path).read_bytes()


def test_a_double_run_leaves_one_object_each(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as one, opened(moto) as other:
        assert one.head(ORIGIN) == other.head(ORIGIN)
        for store in (one, other):  # the second one does not know of the first
            store.write(ORIGIN, log.records[:20], log.checkpoints[:1])
            store.write(ORIGIN, log.records[20:], log.checkpoints[1:])
    assert len(moto.versions("/segments/")) == 2
    assert len(moto.versions("/checkpoints/")) == len(log.checkpoints)
    assert read(moto) == log.records


def test_another_history_is_refused(moto: Bucket, log: Log, tmp_path: Path) -> None:
    s3 = prepared(moto)
    other = Log(tmp_path / "other.jsonl", 40)
    with opened(s3) as store:
        log.ship(store, 20, 20)
        with pytest.raises(Refused, match="another history"):
            store.write(ORIGIN, other.records[20:], [])
        with pytest.raises(Refused, match="another history"):
            store.write(ORIGIN, log.records[21:], [])
        with pytest.raises(Refused, match="covers none of these"):
            store.write(ORIGIN, log.records[20:25], log.checkpoints[-1:])
    with opened(s3) as store:
        assert store.head(ORIGIN).seq == 19


def test_a_legal_hold_keeps_every_version(s3: Bucket, log: Log) -> None:
    shipped(s3, log, "GOVERNANCE")
    with opened(s3) as store:
        held = store.legal_hold(ORIGIN, True)
        assert held == len(s3.versions()) - 1  # but the policy, which is every log's
        refused(s3.delete, s3.versions("/segments/")[0])
        assert store.legal_hold(ORIGIN, False) == held
    s3.delete(s3.versions("/segments/")[0])


def test_the_head_is_the_last_entry_that_is_there(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        assert store.head(ORIGIN) == EMPTY
        log.ship(store, 15)
        assert store.head(ORIGIN) == Head(39, log.records[-1].hash)
        assert store.origins() == [ORIGIN]


def test_a_segment_that_cannot_be_read_at_the_end_is_refused(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 20)
        moto.put(f"{store.base(ORIGIN)}segments/{40:020d}-{49:020d}.jsonl.gz", b"x", **locked())
    with opened(moto) as store, pytest.raises(Unfit, match="not known where the log ends"):
        store.head(ORIGIN)


def test_a_log_goes_on_behind_what_somebody_else_put(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 20, 20)
        base = store.base(ORIGIN)
    tail = forged(log.records[19], 20)
    moto.put(f"{base}segments/{20:020d}-{39:020d}.jsonl.gz", gzip_of(lines(tail)), **locked())
    with AuditLog(log.path, key=log.key) as source, opened(moto) as store:
        reached = Head(19, log.records[19].hash)
        assert store.find_end(ORIGIN, OurLog(source, lambda: reached)) == reached
        store.write(ORIGIN, log.records[20:], [])
        assert list(store.records(ORIGIN))[:20] == log.records[:20]
        mark = log.records[-1].hash[:16]
        assert store.oldest(f"{base}{Name('segments', 20, 39, mark).format()}") is not None


def test_a_segment_has_bounds(moto: Bucket, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(moto)
    with opened(moto) as store:
        monkeypatch.setattr(module, "MAX_ENTRIES", 5)
        with pytest.raises(ValueError, match="at most 5 entries, not 6"):
            store.write(ORIGIN, log.records[:6], [])
        monkeypatch.setattr(module, "MAX_CONTENT", 100)
        with pytest.raises(ValueError, match="at most 100 bytes"):
            store.write(ORIGIN, log.records[:3], [])
        assert store.head(ORIGIN) == EMPTY


def test_what_is_left_is_read_from_its_segments_alone(
    moto: Bucket, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 10)
        list(store.stored(ORIGIN))
        firsts: list[int] = []
        original = store.read

        def counted(name: Name, version: Version) -> tuple[Facts, list[Item]]:
            firsts.append(name.first)
            return original(name, version)

        monkeypatch.setattr(store, "read", counted)
        assert store.any_of(ORIGIN, [(35, 36), (12, 13)])
        assert firsts == [10]
        assert not store.any_of(ORIGIN, [(40, 50)])
        assert not store.any_of(ORIGIN, [])
        assert firsts == [10]


def test_after_a_removal_the_log_is_read_again(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        log.ship(store, 10)
        before = store.path(ORIGIN)
        assert not list(store.purge(ORIGIN, 39, [(1, 2)], lambda record: False))
        assert store.path(ORIGIN) is not before
