"""Digests are made in time, and go on from the log's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from s3_logs import (
    HOUR,
    ORIGIN,
    Log,
    kinds,
    locked,
    opened,
    prepared,
    shipped,
)
from servers_s3 import Bucket

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.digest import parse_digest
from chained_logging.ship.s3.digests import Stands
from chained_logging.ship.s3.names import Name
from chained_logging.sinks import open_sink
from chained_logging.sinks.checkpoint_file import read_checkpoints


def test_a_digest_is_made_each_interval_even_if_nothing_was_shipped(moto: Bucket, log: Log) -> None:
    prepared(moto)
    now = time.time()
    with opened(moto, signer=log.key, clock=lambda: now) as store:
        store.tend(ORIGIN)  # of a log that nobody asked for
        log.ship(store, 50)
        store.tend(ORIGIN)
        assert moto.versions("/digests/") == []
        for hour in range(1, 4):
            now += HOUR + 60  # S3 states when an object was put, by its own clock
            for _ in range(3):
                store.tend(ORIGIN)
            assert len(moto.versions("/digests/")) == hour
    digests = [parse_digest(moto.content(v)) for v in moto.versions("/digests/")]
    assert [digest.number for digest, _ in digests] == [0, 1, 2]
    assert [len(digest.objects) for digest, _ in digests] == [1 + len(log.checkpoints), 0, 0]
    assert all(digest.head == log.records[-1][0::2] for digest, _ in digests)
    assert all(note is not None for _, note in digests)


def test_what_a_dead_shipper_put_is_listed_by_the_next_one(s3: Bucket, log: Log) -> None:
    prepared(s3)
    with opened(s3) as store:
        log.ship(store, 10, 30)
        store._undigested.clear()  # killed: nothing is made at the end
    assert s3.versions("/digests/") == []
    with opened(s3, signer=log.key, digest_interval=0) as store:
        log.ship(store, 10)
    assert kinds(s3) == set()


def test_digests_go_on_after_a_rotation_of_the_key(moto: Bucket, tmp_path: Path) -> None:
    log = Log(tmp_path / "audit.jsonl", 20)
    shipped(moto, log)
    new = PrivateKey.generate()
    with AuditLog(log.path, key=log.key) as opened_log:
        opened_log.rotate_key(new)
        opened_log.append("read", **EVENT)
    log.records = list(open_sink(log.path).records())
    log.checkpoints = [stored for _, stored in read_checkpoints(log.path)]
    with opened(moto, signer=new, digest_interval=0) as store:
        log.ship(store, 10)
        store.tend(ORIGIN)
    numbers = [parse_digest(moto.content(v)).digest.number for v in moto.versions("/digests/")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 3
    assert kinds(moto) == set()


def test_digests_may_be_signed_from_one_on_and_then_stay_so(s3: Bucket, log: Log) -> None:
    prepared(s3)
    memory: dict[str, Any] = {}
    for end, signer in ((10, None), (20, None), (30, log.key), (40, log.key)):
        with opened(s3, signer=signer) as store:
            store.remember(ORIGIN, memory)  # a digest that nobody signed is believed for that alone
            log.ship(store, 10, end)
        memory = store.memory
    digests = [parse_digest(s3.content(version)) for version in s3.versions("/digests/")]
    assert [digest.number for digest, _ in digests] == [0, 1, 2, 3]
    assert [note is not None for _, note in digests] == [False, False, True, True]
    assert kinds(s3) == set()
    with opened(s3, digest_interval=0) as store:  # a shipper that lost its key
        store.head(ORIGIN)
        store.tend(ORIGIN)
    assert kinds(s3) == {"foreign"}


def test_a_digest_lists_what_leads_to_the_logs_head_and_no_more(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto, signer=log.key, digest_interval=0) as store:
        log.ship(store, 10, 20)
        stranger = f"{store.base(ORIGIN)}segments/{5:020d}-{7:020d}.jsonl.gz"
        moto.put(stranger, b"garbage", **locked())
        store.tend(ORIGIN)
        log.ship(store, 10)
    listed = [
        one.name
        for version in moto.versions("/digests/")
        for one in parse_digest(moto.content(version)).digest.objects
    ]
    assert len(listed) == len(set(listed))
    assert sorted(name for name in listed if name.startswith("segments")) == [
        f"segments/{first:020d}-{first + 9:020d}.jsonl.gz" for first in (0, 10, 20, 30)
    ]


def test_an_object_that_is_there_with_other_content_is_refused(moto: Bucket, log: Log) -> None:
    prepared(moto)
    with opened(moto) as store:
        name = Name("digests", 7, 7)
        store._put(ORIGIN, name, b"one")
        store._put(ORIGIN, name, b"one")
        with pytest.raises(Stands, match="exists already, with other content"):
            store._put(ORIGIN, name, b"two")


def test_what_is_remembered_is_read_back_or_refused(moto: Bucket, log: Log) -> None:
    memory = shipped(moto, log)
    with opened(moto) as store:
        store.remember(ORIGIN, memory)
        assert store.memory == memory
        store.remember("another", memory)
        assert store.memory == memory
        with pytest.raises(ValueError, match="not the summary"):
            store.remember(ORIGIN, {ORIGIN: {}})
