"""Logs in a database and in a store are read in order, and each entry again where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from folder_store import FolderStore

from chained_logging import AuditLog
from chained_logging.errors import ShipError
from chained_logging.format.record import Record
from chained_logging.review import sources
from chained_logging.review.sources import Source, SqliteSource, StoreSource, only


class Counted(FolderStore):
    """A store that says how often it was asked for entries, and whether it was closed."""

    asked = 0
    closed = False

    def records(self, origin: str, start: int = 0) -> Any:
        self.asked += 1
        return super().records(origin, start)

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    with AuditLog(tmp_path / "audit.db") as log:
        log.append_many([{**EVENT, "action": "read"}] * 30)
        return list(log.records())


@pytest.fixture
def store(records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted(tmp_path / "store")
    made.write("web", records, [])
    monkeypatch.setattr(sources, "open_destination", lambda _: made)
    return made


@pytest.fixture(params=["db", "store"])
def source(request: pytest.FixtureRequest, store: Counted, tmp_path: Path) -> Source:
    if request.param == "db":
        return SqliteSource(tmp_path / "audit.db")
    return StoreSource("nats://host/S")


def test_entries_come_in_order_from_one_on(source: Source, records: list[Record]) -> None:
    expected = [(record.body, record.hash) for record in records]
    assert [found[1:3] for found in source.entries()] == expected
    assert [found[1:3] for found in source.entries(28, 0)] == expected[28:]
    assert source.size() > 0
    source.close()


def test_entries_are_read_again_in_the_order_asked(source: Source, records: list[Record]) -> None:
    wanted = [(9, 0), (2, 0), (99, 0), (30, 0)]
    assert list(source.read(wanted)) == [records[9], records[2], None, records[30]]
    source.close()


def test_a_store_is_asked_once_for_entries_that_are_near(
    store: Counted, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = StoreSource("nats://host/S", "web")
    assert list(source.read([(30, 0), (1, 0)])) == [records[30], records[1]]
    assert store.asked == 1
    monkeypatch.setattr(sources, "_NEAR", 5)
    assert list(source.read([(1, 0), (7, 0), (2, 0)])) == [records[1], records[7], records[2]]
    assert store.asked == 2
    assert list(source.read([(1, 0), (7, 0)])) == [records[1], records[7]]
    assert store.asked == 4


def test_one_of_several_logs_must_be_chosen(store: Counted, records: list[Record]) -> None:
    assert StoreSource("nats://host/S").name == f"{store.name} web"
    store.write("other", records[:1], [])
    assert only(store, "web") == "web"
    with pytest.raises(ShipError, match="choose one with --origin: other, web"):
        StoreSource("nats://host/S")
    assert store.closed


def test_a_log_that_the_store_does_not_hold_is_said(store: Counted) -> None:
    with pytest.raises(ShipError, match="does not hold the log 'nobody'"):
        StoreSource("nats://host/S", "nobody")
    assert store.closed
