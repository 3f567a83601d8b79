"""Only what has the hash of its stub is taken from an archive."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.errors import ShipError
from chained_logging.format.stub import Stub
from chained_logging.review.archive.fetched import Fetched, read_also, require_archive
from chained_logging.review.archive.names import month_name
from chained_logging.review.archive.stores import FolderArchive
from chained_logging.ship import open_destination
from chained_logging.ship.s3.objects import content_of

ORIGIN = "example.com/audit"


def test_an_entry_is_found_by_its_hash(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append_many([{"action": "a", **EVENT}] * 9)
        records = list(log.records())
    archive = FolderArchive(tmp_path)
    for first, last in ((0, 3), (2, 2), (4, 9)):
        content = content_of(records[first : last + 1]) if last > 2 else b"no line\n"
        archive.put(month_name(ORIGIN, first, last), gzip.compress(content))
    archive.put(month_name("other", 0, 9), b"")
    fetched = Fetched(archive, ORIGIN)
    for seq in (0, 5, 2, 9, 3):
        assert fetched.fetch(Stub(seq, records[seq].hash)) == records[seq]
    assert fetched.fetch(Stub(5, records[4].hash)) is None
    assert fetched.fetch(Stub(10, records[4].hash)) is None
    (tmp_path / month_name(ORIGIN, 4, 9)).unlink()
    assert Fetched(archive, ORIGIN).fetch(Stub(5, records[5].hash)) is None


def test_other_stores_move_nothing() -> None:
    store = open_destination("nats://h/S")
    with pytest.raises(ShipError, match="nothing is moved"), read_also(store, ORIGIN, "/tmp"):
        pass
    with read_also(store, ORIGIN, None):
        require_archive(store, ORIGIN, None)
    store.close()
