"""What is wrong with a log's objects in S3, beyond the entries in them."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest
from s3_logs import HOUR, ORIGIN, Log, forged, lines, locked, opened, shipped
from servers_s3 import Bucket

from chained_logging.ship.fault import Fault
from chained_logging.ship.s3.inspect import overlap
from chained_logging.ship.s3.names import SEGMENTS, Name


@pytest.fixture
def memory(moto: Bucket, log: Log) -> dict[str, Any]:
    """What is remembered of a log that is in the bucket, in four segments with a digest each."""
    return shipped(moto, log, "GOVERNANCE")


def faults(bucket: Bucket, memory: dict[str, Any], hours: float = 2) -> list[Fault]:
    with opened(bucket, clock=lambda: time.time() + hours * HOUR) as store:
        store.remember(ORIGIN, memory)
        return store.inspect(ORIGIN)


def kinds(bucket: Bucket, memory: dict[str, Any], hours: float = 2) -> set[str]:
    return {fault.kind for fault in faults(bucket, memory, hours)}


def test_what_was_shipped_is_in_no_doubt(moto: Bucket, memory: dict[str, Any]) -> None:
    assert faults(moto, memory) == []
    assert faults(moto, {}) == []


def test_a_segment_that_is_gone_is_named_with_its_entry(
    moto: Bucket, memory: dict[str, Any]
) -> None:
    moto.delete(moto.versions("/segments/")[1])
    (fault,) = [one for one in faults(moto, memory) if one.kind == "missing"]
    assert fault.seq == 10
    assert "lists it, and it is gone" in fault.reason


def test_a_segment_that_was_replaced_is_named(
    moto: Bucket, log: Log, memory: dict[str, Any]
) -> None:
    version = moto.versions("/segments/")[1]
    moto.delete(version)
    moto.put(version["Key"], gzip.compress(lines(log.records[10:20]), 1), **locked())
    assert "replaced" in kinds(moto, memory)


def test_what_was_put_over_or_beside_it_is_foreign(
    moto: Bucket, log: Log, memory: dict[str, Any]
) -> None:
    version = moto.versions("/segments/")[1]
    moto.put(version["Key"], gzip.compress(lines(forged(log.records[9]))), **locked())
    base = version["Key"].partition("segments/")[0]
    moto.put(f"{base}letters.txt", b"x", **locked())
    assert kinds(moto, memory) == {"foreign"}


def test_a_delete_marker_is_named_and_hides_nothing(
    moto: Bucket, log: Log, memory: dict[str, Any]
) -> None:
    moto.client.delete_object(Bucket=moto.name, Key=moto.versions("/segments/")[0]["Key"])
    (fault,) = faults(moto, memory)
    assert fault.kind == "deleted"
    assert "what it hides is still there" in fault.reason


def test_digests_that_were_seen_before_and_are_gone_are_named(
    moto: Bucket, memory: dict[str, Any]
) -> None:
    moto.delete(moto.versions("/digests/")[-1])
    found = faults(moto, memory)
    assert any("this digest was seen before, and is gone" in fault.reason for fault in found)
    assert "missing" not in kinds(moto, {})  # only what is kept elsewhere tells
    assert "undigested" in kinds(moto, {})


def test_what_no_digest_lists_is_named_once_it_is_old(
    moto: Bucket, log: Log, memory: dict[str, Any]
) -> None:
    for version in moto.versions("/digests/"):
        moto.delete(version)
    assert kinds(moto, {}, 0) == set()
    (fault,) = [one for one in faults(moto, {}) if one.kind == "undigested"]
    assert "there is no digest" in fault.reason


def test_segments_overlap_where_they_have_an_entry_in_common() -> None:
    one = Name(SEGMENTS, 10, 19)
    assert overlap(one, Name(SEGMENTS, 19, 30))
    assert overlap(one, Name(SEGMENTS, 3, 10))
    assert overlap(one, Name(SEGMENTS, 12, 13))
    assert not overlap(one, Name(SEGMENTS, 20, 30))
