"""A real S3 (Ceph's radosgw): locked as init and the shipper make it, or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checklists import ORIGIN, is_met, looked, recorded
from servers_s3 import Bucket

from chained_logging.review.checklist.subject import Subject
from chained_logging.ship.s3 import S3Destination, init
from chained_logging.sinks import open_sink


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path / "audit.jsonl")


def ship(log: Path, bucket: Bucket, **policy: Any) -> Subject:
    """Prepare a bucket, ship the log there, and return what is to be looked at."""
    assert init(bucket.url, **{"retention": "400d", **policy}) == []
    store = S3Destination(bucket.url)
    notes = [one for _, one in open_sink(log).checkpoints()]
    store.write(ORIGIN, list(open_sink(log).records()), notes)
    store.close()
    return Subject(str(log), stores=(bucket.url,))


def test_a_locked_bucket_is_worm_append_only_and_keeps(log: Path, radosgw: Bucket) -> None:
    ship(log, radosgw)
    found = looked(Subject(str(log), stores=(radosgw.url,)), "worm")
    assert is_met(found)
    seen = {piece.what: piece.value for piece in found.seen}
    assert seen["versioning"] == seen["Object Lock"] == "on"
    assert seen["policy"] == "COMPLIANCE, 400 days"
    assert seen["faults of objects, locks and digests"] == "0"
    for probe in ("append_only", "kept 365", "shipped", "outside", "transport"):
        assert is_met(looked(Subject(str(log), stores=(radosgw.url,)), probe)), probe


def test_a_shorter_policy_does_not_keep(log: Path, radosgw: Bucket) -> None:
    subject = ship(log, radosgw, retention="30d")
    found = looked(subject, "kept 365")
    assert not is_met(found)
    assert "buckets lock for 30 days, and 365 are asked" in found.sentence
    assert "stores keep entries for 30 days at most" in found.sentence


def test_governance_is_not_worm(log: Path, radosgw: Bucket) -> None:
    found = looked(ship(log, radosgw, mode="GOVERNANCE"), "worm")
    assert not is_met(found)
    assert "mode GOVERNANCE" in found.sentence


def test_a_bucket_without_object_lock_is_not_worm(log: Path, radosgw: Bucket) -> None:
    bucket = Bucket(radosgw.server, lock=False)
    found = looked(Subject(str(log), stores=(bucket.url,)), "worm")
    assert not is_met(found)
    assert "versioning is not on" in found.sentence


def test_a_bucket_without_a_policy_locks_nothing(log: Path, radosgw: Bucket) -> None:
    found = looked(Subject(str(log), stores=(radosgw.url,)), "worm")
    assert not is_met(found)
    assert "no policy" in found.sentence


def test_an_object_without_its_lock_is_named(log: Path, radosgw: Bucket) -> None:
    subject = ship(log, radosgw)
    (version, *_) = radosgw.versions("/segments/") or radosgw.versions("0")
    copied = radosgw.content(version)
    radosgw.client.put_object(
        Bucket=radosgw.name, Key=version["Key"].replace("0", "9", 1) + "x", Body=copied
    )
    radosgw.client.delete_object(Bucket=radosgw.name, Key=version["Key"])  # a delete marker
    found = looked(subject, "worm")
    assert not is_met(found)
    assert "delete marker" in found.sentence
    assert json.dumps(found.seen)
