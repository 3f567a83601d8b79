"""S3 with Object Lock: every entry once, byte for byte, whatever happens."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chains import check_chain, often
from crash import fresh_seed
from s3_logs import (
    ORIGIN,
    Log,
    kinds,
    lines,
    log,
    opened,
    prepared,
    read,
    shipped,
)

from chained_logging import verify
from chained_logging.errors import DestinationError
from chained_logging.format.canonical import canonical
from chained_logging.ship.s3 import S3Destination
from chained_logging.sinks.checkpoint_file import checkpoint_path

if TYPE_CHECKING:
    from servers_s3 import Bucket

__all__ = ["log"]  # a fixture


# --- What is shipped comes back.


@pytest.mark.long
def test_a_log_comes_back_byte_for_byte(s3: Bucket, tmp_path: Path) -> None:
    origins = ["a/ü_100%", ".."]
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
                canonical(c.to_dict()) + b"\n" for c in store.checkpoints(log.origin)
            )
            assert checkpoints == checkpoint_path(log.path).read_bytes()
            for start in (0, 6, 13, 99):
                assert list(store.records(log.origin, start)) == log.records[start:]
            assert store.inspect(log.origin) == []
            assert kinds(s3, log.origin) == set()


# --- Crashes, servers that are down, two at once.


def _ship_and_die(log: Log, bucket: Bucket, seed: int, delay: float) -> None:
    """Ship in a child, and kill it: while it starts, or after it wrote something."""
    choose = random.Random(seed)
    early = choose.random() < 0.3
    ready, started = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            store = S3Destination(bucket.url, digest_interval=0.1, signer=log.key)
            if not early:
                log.ship(store, 2, store.head(ORIGIN).seq + 3)
            os.write(started, b"x")
            log.ship(store, choose.randint(1, 9))
        finally:
            os._exit(1)
    os.close(started)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    time.sleep(delay * choose.random())
    os.kill(pid, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])  # it did not fail before


def test_a_shipper_killed_at_random_leaves_every_entry_once(s3: Bucket, tmp_path: Path) -> None:
    # Most of them where If-None-Match is not there to help.
    rounds = int(os.environ.get("SHIP_ROUNDS", often(20) if s3.enforces else 6))
    choose = random.Random(fresh_seed())
    log = Log(tmp_path / "audit.jsonl", 200 * rounds)
    prepared(s3)
    with opened(s3, signer=log.key) as store:
        begun = time.monotonic()
        log.ship(store, 4, 8)
        delay = time.monotonic() - begun  # two writes and a start
        before = store.head(ORIGIN).seq
    for number in range(rounds):
        _ship_and_die(log, s3, choose.randrange(2**32), delay)
        with opened(s3) as store:
            end = store.head(ORIGIN).seq
            assert end >= before
            if number % 5 == 0:
                assert list(store.records(ORIGIN)) == log.records[: end + 1]
                shown = [checkpoint.size for checkpoint in store.checkpoints(ORIGIN)]
                assert shown == [c.size for c in log.checkpoints if c.size <= end + 1]
            before = end
    assert before > rounds
    with opened(s3, signer=log.key) as store:
        log.ship(store, 1000)
        assert list(store.records(ORIGIN)) == log.records
        assert list(store.checkpoints(ORIGIN)) == log.checkpoints
    assert kinds(s3) == set()


def test_a_checkpoint_is_not_shown_before_its_entries(s3: Bucket, log: Log) -> None:
    prepared(s3)
    with opened(s3) as store:
        log.ship(store, 10, 10)
        # What a kill between the two leaves behind: the checkpoint alone.
        store._put_checkpoint(ORIGIN, log.checkpoints[-1])
        store._own.clear()
    with opened(s3) as store:
        assert store.head(ORIGIN).seq == 9
        assert [c for c in store.checkpoints(ORIGIN) if c.size > 10] == []
        log.ship(store, 50)
        assert list(store.checkpoints(ORIGIN)) == log.checkpoints
    assert kinds(s3) == set()


def test_a_server_that_is_down_loses_nothing(radosgw: Bucket, log: Log) -> None:
    prepared(radosgw)
    server: Any = radosgw.server
    with opened(radosgw) as store:
        log.ship(store, 10, 20)
        server.halt()
        try:
            with pytest.raises(DestinationError, match=r"was not stored|cannot be"):
                store.write(ORIGIN, log.records[20:30], [])
            with pytest.raises(DestinationError):
                store.head(ORIGIN)
        finally:
            server.go_on()
        log.ship(store, 10)
        assert list(store.records(ORIGIN)) == log.records
        assert store.inspect(ORIGIN) == []


def test_two_shippers_at_once_leave_every_entry_once(s3: Bucket, tmp_path: Path) -> None:
    log = Log(tmp_path / "audit.jsonl", 200)
    prepared(s3)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        choose = random.Random(seed)
        try:
            with opened(s3, signer=log.key) as store:
                begin = store.head(ORIGIN).seq + 1
                while begin < 200:  # each by what it knows itself
                    end = min(200, begin + choose.randint(5, 40))
                    covered = [c for c in log.checkpoints if begin < c.size <= end]
                    store.write(ORIGIN, log.records[begin:end], covered)
                    begin = end
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(s3.versions("/segments/")) > 10  # they did overlap
    assert read(s3) == log.records
    if not s3.enforces:  # without If-None-Match the two may put a digest each
        assert kinds(s3) == set()


# --- Digests.


def test_what_is_restored_verifies(moto: Bucket, log: Log, tmp_path: Path) -> None:
    shipped(moto, log)
    copy = tmp_path / "restored.jsonl"
    copy.write_bytes(lines(read(moto)))
    with opened(moto) as store:
        checkpoint_path(copy).write_bytes(
            b"".join(canonical(c.to_dict()) + b"\n" for c in store.checkpoints(ORIGIN))
        )
    report = verify(copy)
    assert report.intact
    assert report.signed_seq == 39
