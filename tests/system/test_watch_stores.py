"""``watch`` over real central stores: what somebody changes there is found within one round."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres_logs import ORIGIN, Database, Unguarded, database
from s3_logs import Log, log, opened, prepared
from servers_s3 import Bucket

from chained_logging.review.watch.memory import Memory
from chained_logging.review.watch.places import Place
from chained_logging.ship.shipper import Shipper

__all__ = ["database", "log"]  # fixtures


@pytest.fixture
def shipped(database: Database, log: Log) -> Database:
    from chained_logging import AuditLog

    with AuditLog(log.path, key=log.key) as opened_log:
        Shipper(opened_log, [database.server.url(database.name, "test_shipper")]).ship(30)
    return database


def test_what_a_superuser_changes_is_found(shipped: Database, tmp_path: Path) -> None:
    place = Place(shipped.server.url(shipped.name, "test_reader"), Memory(None), origin=ORIGIN)
    assert place.whole().ok
    with Unguarded(shipped):
        shipped.sql(
            "UPDATE chained_logging.entries SET body = replace(body, 'read-7\"', 'read-8\"')"
        )
    check = place.whole()
    assert check.ok is False
    assert check.severity == "critical"


def test_what_a_superuser_removes_at_the_end_is_found(shipped: Database) -> None:
    place = Place(shipped.server.url(shipped.name, "test_reader"), Memory(None), origin=ORIGIN)
    assert place.whole().ok
    with Unguarded(shipped):
        shipped.sql("DELETE FROM chained_logging.entries WHERE seq > 30")
    assert place.whole().ok is False


def test_an_object_that_is_removed_or_put_over_another_is_found(moto: Bucket, log: Log) -> None:
    bucket = prepared(moto, "GOVERNANCE")
    with opened(bucket) as store:
        log.ship(store, 10)
    place = Place(bucket.url, Memory(None), origin=log.origin)
    assert place.whole().ok
    versions = bucket.client.list_object_versions(Bucket=bucket.name)["Versions"]
    victim = next(one for one in versions if "policy" not in one["Key"])
    bucket.client.delete_object(
        Bucket=bucket.name,
        Key=victim["Key"],
        VersionId=victim["VersionId"],
        BypassGovernanceRetention=True,
    )
    assert place.whole().ok is False
