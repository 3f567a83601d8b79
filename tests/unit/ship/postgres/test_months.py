"""What PostgreSQL lets go to an archive: past months, and nothing that must stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from postgres_logs import ORIGIN, Database, records_of

from chained_logging import AuditLog
from chained_logging.errors import Refused
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.reading import Reader
from chained_logging.review.retention.holds import add_hold
from chained_logging.ship.destination import ArchivedDestination, Month
from chained_logging.ship.holds import Covered
from chained_logging.sinks import open_sink

MAY, JUNE = Month(2020, 5), Month(2020, 6)
NOW = Month(2026, 1)
WHERE = "/archive", "file", "1" * 64


def of(month: Month, count: int, **fields: Any) -> list[dict[str, Any]]:
    when = month.begins.replace("-01T", "-20T")
    return [{"action": "read", **EVENT, "timestamp": when, **fields} for _ in range(count)]


@pytest.fixture
def shipped(database: Database, tmp_path: Path) -> Database:
    """Entries 1 to 3 of May, of which a hold covers entry 2; 4 and 5 of June; 6 is the hold."""
    path = tmp_path / "audit.db"
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many([*of(MAY, 1), *of(MAY, 1, actor="held"), *of(MAY, 1), *of(JUNE, 2)])
        add_hold(log, "c", Covered(actor_id="held"), "r", Reader("ann"))
        log.append("last", **EVENT)
    database.shipper.write(ORIGIN, list(open_sink(path).records()), [])
    return database


def gone(database: Database) -> list[int]:
    return [one.seq for one in database.reader.stored(ORIGIN) if isinstance(one, Stub)]


def test_months_follow_one_another() -> None:
    assert Month(2020, 12).next == Month(2021, 1)
    assert Month(9, 3).begins == "0009-03-01T00:00:00.000000Z"


def test_months_and_their_entries_are_told(shipped: Database) -> None:
    store = shipped.reader
    assert isinstance(store, ArchivedDestination)
    assert list(store.months(ORIGIN, NOW)) == [MAY, JUNE]
    assert list(store.months(ORIGIN, JUNE)) == [MAY]
    assert list(store.months("other", NOW)) == []
    assert list(store.of_month(ORIGIN, MAY)) == [1, 2, 3]


def test_what_a_hold_covers_stays_and_so_does_what_is_about_the_log(shipped: Database) -> None:
    store = shipped.retention
    assert store.let_go(ORIGIN, MAY, 0, 7, WHERE) == 2
    assert gone(shipped) == [1, 3]
    assert store.let_go(ORIGIN, MAY, 0, 7, WHERE) == 0
    (one,) = shipped.reader.archived(ORIGIN)
    assert one == (0, 7, *WHERE, "test_retention")
    assert shipped.faults() == ""
    assert all(clean for _, clean in store.give_back())
    month = shipped.sql("SELECT min(timestamp)::date::text FROM chained_logging.entries")
    assert month == [("2020-05-20",)]
    assert "hold.add" in {one.action for one in map(_action, shipped.reader.records(ORIGIN))}


def _action(record: Record) -> Any:
    from chained_logging.event.entry import AuditEntry

    return AuditEntry(record.body, record.hash)


def test_a_month_that_has_not_ended_stays(database: Database, tmp_path: Path) -> None:
    database.shipper.write(ORIGIN, records_of(tmp_path, [{"action": "a", **EVENT}] * 2), [])
    (now,) = database.reader.months(ORIGIN, Month(2999, 1))
    with pytest.raises(Refused, match="has not ended"):
        database.retention.let_go(ORIGIN, now, 0, 2, WHERE)
    assert gone(database) == []


def test_only_who_may_remove_may_move(shipped: Database) -> None:
    for store in (shipped.reader, shipped.shipper):
        with pytest.raises(Refused):
            store.let_go(ORIGIN, MAY, 0, 7, WHERE)
    for statement in ("UPDATE", "DELETE FROM", "TRUNCATE"):
        of_it = "chained_logging.archived" + (" SET login = 'x'" if statement == "UPDATE" else "")
        with pytest.raises(Exception, match="append-only"):
            shipped.sql(f"{statement} {of_it}")
    assert gone(shipped) == []


def test_entries_are_read_from_elsewhere_for_their_stubs(shipped: Database) -> None:
    before = list(shipped.reader.records(ORIGIN))
    shipped.retention.let_go(ORIGIN, JUNE, 0, 7, WHERE)
    assert gone(shipped) == [4, 5]
    there = {one.seq: one for one in before}
    shipped.reader.read_also(lambda stub: there[stub.seq] if stub.seq == 4 else None)
    assert gone(shipped) == [5]
    assert list(shipped.reader.records(ORIGIN)) == [one for one in before if one.seq != 5]
