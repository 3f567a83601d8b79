"""A small object store: get, put, list, and what Object Lock adds."""

from __future__ import annotations

import time

import pytest
from s3_logs import (
    DAY,
    ORIGIN,
    Log,
    opened,
    prepared,
    refused,
)
from servers_s3 import Bucket

from chained_logging.errors import DestinationError, Refused
from chained_logging.ship.s3 import S3Destination
from chained_logging.ship.s3 import store as module
from chained_logging.ship.s3.store import ObjectStore


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


@pytest.mark.parametrize(
    ("url", "name", "prefix"),
    [
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/", "s3://bucket", ""),
        ("S3://bucket/a/b/", "s3://bucket/a/b", "a/b/"),
    ],
)
def test_a_url_is_a_bucket_and_a_prefix(url: str, name: str, prefix: str) -> None:
    store = ObjectStore(url)
    assert (store.bucket, store.name, store.prefix) == ("bucket", name, prefix)
    assert store.shown("x") == "s3://bucket/x"


@pytest.mark.parametrize(
    "url", ["s3://", "s3://B", "s3://bucket?x=1", "http://bucket", "s3:bucket"]
)
def test_what_is_no_url_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be s3://bucket/prefix"):
        ObjectStore(url)


def test_the_oldest_version_counts_whatever_came_over_it(moto: Bucket) -> None:
    store = ObjectStore(moto.url)
    key, until = f"{store.prefix}x", time.time() + DAY
    assert store.oldest(key) is None
    first = store.put(key, b"first", "GOVERNANCE", until)
    assert store.put(key, b"second", "GOVERNANCE", until) is None  # the key is taken
    second = store.put(key, b"second", "GOVERNANCE", until, once=False)
    moto.client.delete_object(Bucket=moto.name, Key=key)
    oldest = store.oldest(key)
    assert oldest is not None
    assert oldest.id == first
    assert {version.id for version in store.grouped(key)[key] if not version.marker} == {
        first,
        second,
    }
    assert len(store.grouped(key)[key]) == 3
    data, mode, end, _ = store.get(oldest)
    assert (data, mode) == (b"first", "GOVERNANCE")
    assert end == pytest.approx(until, abs=2)
    store.lock_until(oldest, "GOVERNANCE", until + DAY)
    assert store.get(oldest).until == pytest.approx(until + DAY, abs=2)
    store.hold(oldest, True)
    refused(moto.client.delete_object, Bucket=moto.name, Key=key, VersionId=first)
    store.disconnect()


def test_no_more_than_a_byte_beyond_the_bound_is_read(
    moto: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(moto.url)
    store.put(f"{store.prefix}x", b"a" * 100, "GOVERNANCE", time.time() + DAY)
    version = store.oldest(f"{store.prefix}x")
    assert version is not None
    monkeypatch.setattr(module, "MAX_CONTENT", 10)
    assert store.get(version).data == b"a" * 11
    store.disconnect()


def test_a_bucket_tells_how_it_is_set_up_or_that_it_is_not_there(moto: Bucket) -> None:
    store = ObjectStore(moto.url)
    assert store.bucket_state() == (True, True, None)
    moto.client.put_object_lock_configuration(
        Bucket=moto.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}},
        },
    )
    assert store.bucket_state().default == "GOVERNANCE 3 days"
    with pytest.raises(Refused, match="there is no such bucket"):
        ObjectStore("s3://no-such-bucket-at-all").bucket_state()
    store.disconnect()
