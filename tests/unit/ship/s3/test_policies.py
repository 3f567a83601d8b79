"""The policies in a bucket: which of them count, and since when."""

from __future__ import annotations

import time

import pytest
from s3_logs import (
    DAY,
    HOUR,
    ORIGIN,
    Log,
    kinds,
    locked,
    opened,
)
from servers_s3 import Bucket

from chained_logging.errors import Refused
from chained_logging.format.record import StoredCheckpoint
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3.policies import POLICY, init, policy_in_force, read_policies
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.s3.store import ObjectStore


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


def test_of_the_versions_those_count_that_the_key_before_signed(moto: Bucket) -> None:
    key = PrivateKey.generate()
    assert init(moto.url, retention="30d", mode="GOVERNANCE", signer=key) == []
    assert init(moto.url, retention="60d", mode="GOVERNANCE", signer=key) == []
    store = ObjectStore(moto.url)
    for data in (Policy(1, "GOVERNANCE").format(), b"garbage"):
        moto.put(f"{store.prefix}{POLICY}", data, **locked())
    found = read_policies(store)
    assert [policy.days for _, policy in found.counting] == [30, 60]
    assert found.current is not None
    assert found.current.days == 60
    assert len(found.foreign) == 2
    assert policy_in_force(store, time.time()) == found.current
    store.disconnect()


def test_a_policy_is_locked_as_long_as_what_is_put_now(moto: Bucket) -> None:
    assert init(moto.url, retention="30d", mode="GOVERNANCE") == []
    store = ObjectStore(moto.url)
    version = store.oldest(f"{store.prefix}{POLICY}")
    assert version is not None
    now = time.time() + 10 * DAY
    policy_in_force(store, now)
    assert store.get(version).until == pytest.approx(time.time() + 30 * DAY, abs=HOUR)
    policy_in_force(store, now, renew=True)
    assert store.get(version).until == pytest.approx(now + 30 * DAY, abs=HOUR)
    store.disconnect()


def test_a_prefix_that_was_not_prepared_is_refused(moto: Bucket) -> None:
    store = ObjectStore(moto.url)
    with pytest.raises(Refused, match="has no policy: prepare it with chained-logging init"):
        policy_in_force(store, time.time())
    moto.put(f"{store.prefix}{POLICY}", b"garbage", **locked())
    with pytest.raises(Refused, match="somebody else put it: use another prefix"):
        init(moto.url, retention="30d")
    store.disconnect()
