"""S3 with Object Lock: every entry once, byte for byte, whatever happens."""

from __future__ import annotations

import gzip
import os
import random
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chains import EVENT, check_chain, often
from crash import fresh_seed
from s3_logs import (
    DAY,
    HOUR,
    ORIGIN,
    Log,
    kinds,
    lines,
    opened,
    prepared,
    read,
    refused,
    shipped,
)

from chained_logging import AuditLog, verify
from chained_logging.errors import DestinationError, Refused
from chained_logging.format.canonical import canonical
from chained_logging.format.record import StoredCheckpoint
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.ship.s3.digest import parse_digest
from chained_logging.sinks import open_sink
from chained_logging.sinks.checkpoint_file import checkpoint_path, read_checkpoints

if TYPE_CHECKING:
    from servers_s3 import Bucket


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl", 40)


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


def test_every_object_is_locked_for_the_retention(s3: Bucket, log: Log) -> None:
    prepared(s3)
    with opened(s3, signer=log.key) as store:
        log.ship(store, 20)
    found = s3.versions()
    assert {version["Key"].split("/")[-2] for version in found} == {
        *("logs", "segments", "checkpoints", "digests")
    }
    for version in found:
        answer = s3.client.head_object(
            Bucket=s3.name, Key=version["Key"], VersionId=version["VersionId"]
        )
        assert answer["ObjectLockMode"] == "COMPLIANCE"
        left = answer["ObjectLockRetainUntilDate"].timestamp() - time.time()
        assert 30 * DAY - 300 < left <= 30 * DAY


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


# --- Setting up.


def test_init_says_what_a_bucket_lacks(s3: Bucket) -> None:
    plain = f"{s3.name}-plain"
    s3.client.create_bucket(Bucket=plain)
    lacks = init(f"s3://{plain}/x", retention="hipaa")
    assert [line.partition(";")[0] for line in lacks] == [
        "versioning is not on",
        "Object Lock is not on",
    ]
    assert all(f"--bucket {plain}" in line for line in lacks)
    (lack,) = init("s3://no-such-bucket-at-all/x", retention="hipaa")
    assert "no such bucket" in lack
    assert "--object-lock-enabled-for-bucket" in lack
    with opened(s3) as store, pytest.raises(Refused, match="chained-logging init"):
        store.write(ORIGIN, [], [StoredCheckpoint("x", 0, "y")])


def test_init_never_shortens_a_policy(s3: Bucket, log: Log) -> None:
    key = PrivateKey.generate()
    assert init(s3.url, retention="90d", mode="GOVERNANCE", signer=key) == []
    assert init(s3.url, retention="90d", mode="governance") == []
    assert len(s3.versions("policy.json")) == 1
    for retention, mode in (("30d", "COMPLIANCE"), ("30d", "GOVERNANCE")):
        with pytest.raises(Refused, match="90 days in mode GOVERNANCE"):
            init(s3.url, retention=retention, mode=mode)
    for other in (None, PrivateKey.generate()):
        with pytest.raises(Refused, match=r"only the key that it names .* --key"):
            init(s3.url, retention="hipaa", signer=other)
    assert init(s3.url, retention="hipaa", signer=key) == []
    with pytest.raises(Refused, match="2192 days in mode COMPLIANCE"):
        init(s3.url, retention="hipaa", mode="GOVERNANCE")
    with opened(s3, signer=log.key) as store:
        log.ship(store, 50)
        ((_, segment),) = store.standing(store.base(ORIGIN), "segments")
        assert store.get(segment).until == pytest.approx(time.time() + 2192 * DAY, abs=HOUR)
    assert kinds(s3) == set()
    with pytest.raises(ValueError, match="36500 days"):
        init(s3.url, retention="999y")
    with pytest.raises(ValueError, match="GOVERNANCE or COMPLIANCE"):
        init(s3.url, retention="1y", mode="none")


def test_no_secret_is_shown(moto: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="without a user") as caught:
        S3Destination("s3://key:hunter2@bucket/prefix")
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://key:hunter2@127.0.0.1:9")
    with opened(moto) as store:
        with pytest.raises(DestinationError) as failed:
            store.head(ORIGIN)
        assert "hunter2" not in f"{failed.value}{store.name}{store!r}"
        assert "127.0.0.1:9" in str(failed.value)


# --- Digests.


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


def test_a_legal_hold_keeps_every_version(s3: Bucket, log: Log) -> None:
    shipped(s3, log, "GOVERNANCE")
    with opened(s3) as store:
        held = store.legal_hold(ORIGIN, True)
        assert held == len(s3.versions()) - 1  # but the policy, which is every log's
        refused(s3.delete, s3.versions("/segments/")[0])
        assert store.legal_hold(ORIGIN, False) == held
    s3.delete(s3.versions("/segments/")[0])


def test_the_end_is_found_among_more_objects_than_a_listing_shows(radosgw: Bucket) -> None:
    with opened(radosgw) as store:
        base, store._page = store.base(ORIGIN), 3
        assert store.last_number(base, "digests") == -1
        for count, number in enumerate([0, 1, 2, 3, 5, 9, 40, 41, 10**6, 10**12 + 7, 2**63 - 1]):
            key = f"{base}digests/{number:020d}.digest"
            radosgw.client.put_object(Bucket=radosgw.name, Key=key, Body=b"")
            assert store.last_number(base, "digests") == number
            assert store.last_number(base, "segments") == -1
            assert len(store.standing(base, "digests")) == count + 1
            assert [name.first for name, _ in store.standing(base, "digests", 4)] == [
                other for other in (5, 9, 40, 41, 10**6, 10**12 + 7, 2**63 - 1) if other <= number
            ]


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
