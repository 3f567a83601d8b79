"""The bucket, the policy and the locks of objects are as they were set up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from s3_logs import DAY, ORIGIN, Log, opened, prepared
from servers_s3 import Bucket

from chained_logging.ship.s3 import S3Destination
from chained_logging.ship.s3.lock_check import Locks
from chained_logging.ship.s3.names import SEGMENTS
from chained_logging.ship.s3.policies import POLICY
from chained_logging.ship.s3.store import BucketState


class Said(list[tuple[str, str]]):
    """What was reported: kinds and reasons."""

    def __call__(self, kind: str, key: str, reason: str, seq: int | None = None) -> None:
        self.append((kind, reason))


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def store(moto: Bucket, log: Log) -> Iterator[S3Destination]:
    prepared(moto, "GOVERNANCE")
    with opened(moto) as store:
        log.ship(store, 40)
        yield store


@pytest.fixture
def locks(store: S3Destination, said: Said) -> Locks:
    locks = Locks(store, time.time(), 60.0, said)
    locks.check_policy()
    return locks


def test_what_was_set_up_is_as_it_was(store: S3Destination, locks: Locks, said: Said) -> None:
    locks.check_bucket()
    locks.check_stated(30, "GOVERNANCE", "it was")
    ((name, version),) = store.standing(store.base(ORIGIN), SEGMENTS)
    locks.check_lock(version, store.read(name, version)[0])
    assert said == []


def test_a_lock_that_is_missing_weaker_or_shorter_is_named(
    store: S3Destination, locks: Locks, said: Said
) -> None:
    ((name, version),) = store.standing(store.base(ORIGIN), SEGMENTS)
    facts = store.read(name, version)[0]
    assert facts.until is not None
    for changed in (
        replace(facts, mode=None),
        replace(facts, until=facts.until - 2 * DAY),
        replace(facts, mode="NONE"),
    ):
        locks.check_lock(version, changed)
    assert [kind for kind, _ in said] == ["unlocked", "retention", "retention"]
    assert "its lock ends 28.0 days after it was put, and the policy has 30" in said[1][1]
    said.clear()
    locks.now += 31 * DAY  # its time is over
    locks.check_lock(version, replace(facts, mode=None))
    assert said == []


def test_a_policy_that_was_replaced_is_named(locks: Locks, said: Said) -> None:
    locks.check_stated(31, "GOVERNANCE", "digest 7 states")
    locks.check_stated(30, "COMPLIANCE", "digest 7 states")
    assert [kind for kind, _ in said] == ["policy", "policy"]
    assert "digest 7 states 31 days in mode GOVERNANCE, and the policy is less" in said[0][1]


def test_a_bucket_that_was_changed_is_named(
    store: S3Destination, locks: Locks, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = BucketState(versioning=False, lock=False, default="GOVERNANCE 3 days")
    monkeypatch.setattr(store, "bucket_state", lambda: changed)
    locks.check_bucket()
    assert said == [
        ("bucket", "versioning is not on: it was suspended, or never set"),
        ("bucket", "Object Lock is not on"),
        (
            "bucket",
            "the default retention is GOVERNANCE 3 days, and was none when the policy was written",
        ),
    ]


def test_a_policy_that_is_missing_or_hidden_is_named(moto: Bucket, said: Said) -> None:
    with opened(moto) as store:
        Locks(store, time.time(), 60.0, said).check_policy()
        assert [kind for kind, _ in said] == ["policy"]
        said.clear()
        prepared(moto)
        moto.client.delete_object(Bucket=moto.name, Key=store.prefix + POLICY)
        Locks(store, time.time(), 60.0, said).check_policy()
        assert said == [("deleted", "a delete marker covers it")]
