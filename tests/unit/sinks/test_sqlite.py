"""SQLite: what a query says cannot disagree with what was hashed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sink_records import chained

from chained_logging.errors import BrokenLog, Busy, NotALog, NotAnEntry, StoreError
from chained_logging.event.draft import draft
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import NO_CHECKPOINT, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.sinks.sqlite import SqliteSink


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


@pytest.fixture
def sink(log: Path) -> Iterator[SqliteSink]:
    sink = SqliteSink(log)
    sink.head()
    yield sink
    sink.close()


def sql(log: Path, *statements: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def test_columns_are_derived_from_the_text_and_cannot_be_written(
    sink: SqliteSink, log: Path
) -> None:
    (record,) = chained(1)
    sink.write([record])
    query = "SELECT body, hash, actor_id, resource_id, action FROM entries"
    assert sql(log, query) == [(record.body.decode(), record.hash, "user-1", "456", "a")]
    for statement in (
        "UPDATE entries SET hash = 'x'",
        "DELETE FROM entries",
        "INSERT INTO entries (seq, body, hash) SELECT seq, body, hash FROM entries",
        "INSERT INTO entries (seq, body, hash, actor_id) VALUES (1, '{}', 'x', 'eve')",
    ):
        with pytest.raises(sqlite3.Error):
            sql(log, statement)
    assert sql(log, query) == [(record.body.decode(), record.hash, "user-1", "456", "a")]


def purging(head: Head, *ranges: object, actor: str = OURSELVES) -> Record:
    """Return the entry that names what may be removed."""
    about = {"actor_id": actor, "actor_type": "system", "resource": ("audit_log", "o")}
    entry = draft({**about, "context": {"ranges": ranges}}, action="retention.apply", own=True)
    body = entry.body(head.seq + 1, head.hash)
    return Record(head.seq + 1, body, leaf_hash(body))


def replaced(seq: int) -> tuple[str, str]:
    """Return the statements that leave a stub of an entry."""
    stub = f"INSERT INTO stubs SELECT seq, hash, signature FROM entries WHERE seq = {seq}"
    return stub, f"DELETE FROM entries WHERE seq = {seq}"


def test_an_entry_that_a_purge_names_becomes_a_stub_and_no_other(
    sink: SqliteSink, log: Path
) -> None:
    records = chained(8)
    records = [*records, purging(Head(7, records[7].hash), [2, 3], [5, 5], [0, 0])]
    sink.write(records)
    assert sql(log, "SELECT * FROM purges") == [(2, 3, 8), (5, 5, 8)]
    for seq in (0, 1, 4, 6, 7, 8):
        with pytest.raises(sqlite3.Error, match=r"no retention\.apply names"):
            sql(log, *replaced(seq))
    with pytest.raises(sqlite3.Error, match="no entry is deleted"):
        sql(log, "DELETE FROM entries WHERE seq = 2")
    with pytest.raises(sqlite3.Error, match=r"no retention\.apply names"):
        sql(log, f"INSERT INTO stubs VALUES (2, '{'0' * 64}', NULL)")
    sql(log, *replaced(2), *replaced(5))
    assert list(sink.stored()) == [Stub(r.seq, r.hash) if r.seq in (2, 5) else r for r in records]
    for table in ("stubs", "purges"):
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = 9"):
            with pytest.raises(sqlite3.Error, match="append-only"):
                sql(log, change)
    with pytest.raises(sqlite3.Error, match="append-only"):
        sql(log, f"INSERT OR REPLACE INTO stubs VALUES (2, '{'0' * 64}', NULL)")
    assert sink.head() == Head(8, records[-1].hash)


def test_the_logs_own_entries_about_keys_and_purges_stay(sink: SqliteSink, log: Path) -> None:
    first, *rest = chained(3)
    sink.write([first, *rest])
    made = purging(sink.head(), [1, 1])
    sink.write([made])
    sink.write([purging(sink.head(), [1, 3], [2, 3])])
    sink.write(chained(1, sink.head()))
    assert sql(log, "SELECT * FROM purges") == [(1, 1, 3), (2, 3, 4)]
    sql(log, *replaced(2))
    with pytest.raises(sqlite3.Error, match="append-only"):
        sql(log, *replaced(3))


@pytest.mark.parametrize(
    "ranges", [["x"], [[1]], [["1", "2"]], [[1.5, 2]], [[2, 1]], [[1, 99]], []]
)
def test_ranges_that_a_log_does_not_write_name_nothing(
    sink: SqliteSink, log: Path, ranges: list[object]
) -> None:
    sink.write(chained(3))
    sink.write([purging(sink.head(), *ranges)])
    assert sql(log, "SELECT * FROM purges") == []


def test_an_entry_of_somebody_else_names_nothing(sink: SqliteSink, log: Path) -> None:
    sink.write(chained(3))
    sink.write([purging(sink.head(), [1, 1], actor="eve")])
    sql(log, "INSERT INTO purges VALUES (1, 1, 3)")
    assert sql(log, "SELECT * FROM purges") == []


def test_a_database_that_gave_space_back_goes_on(sink: SqliteSink, log: Path) -> None:
    sink.write(chained(200))
    sink.write([purging(sink.head(), [1, 199])])
    sink.close()  # what was in the log beside it is in the database now
    head = sink.head()
    size = log.stat().st_size
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as other:
        named = "FROM entries WHERE seq BETWEEN 1 AND 199"
        other.execute(f"INSERT INTO stubs SELECT seq, hash, signature {named}")
        other.execute(f"DELETE {named}")
        other.executescript("PRAGMA incremental_vacuum")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert log.stat().st_size < size
    assert sink.head() == head
    (after,) = chained(1, head)
    sink.write([after])
    assert list(sink.stored(199))[2:] == [after]


def test_several_entries_are_one_transaction(sink: SqliteSink, log: Path) -> None:
    records = chained(3)
    with pytest.raises(StoreError):
        sink.write([*records[:2], records[0]])
    assert list(sink.records()) == []
    sink.write(records)
    assert sink.head() == Head(2, records[2].hash)


def test_entries_are_picked_by_their_numbers(sink: SqliteSink) -> None:
    records = chained(3)
    sink.write(records)
    assert sink.picked([0, 2, 7]) == [records[0], records[2]]
    assert sink.picked([7] * 2000) == []


def test_another_program_that_holds_the_database_is_waited_for_and_named(
    sink: SqliteSink, log: Path
) -> None:
    sink.patience = 0.05
    sink.head()
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="another program holds"):
            sink.write(chained(1))
        other.execute("ROLLBACK")
    sink.write(chained(1))


def test_a_database_of_something_else_is_left_as_it_is(log: Path) -> None:
    sql(log, "CREATE TABLE mine (x)")
    before = log.read_bytes()
    with pytest.raises(NotALog, match="a database of something else"):
        SqliteSink(log).head()
    assert log.read_bytes() == before


def test_a_log_of_an_earlier_version_is_left_as_it_is(sink: SqliteSink, log: Path) -> None:
    sink.close()
    sql(log, "DROP TABLE resources")
    with pytest.raises(NotALog, match=r"a version before 0\.1\.0"):
        SqliteSink(log).head()


def test_a_database_that_was_cut_is_named(sink: SqliteSink, log: Path) -> None:
    sink.write(chained(50))
    sink.close()  # what was in the log beside it is in the database now
    sink.head()
    os.truncate(log, log.stat().st_size // 2)
    with pytest.raises(BrokenLog, match="was cut from"):
        sink.head()


def test_a_file_that_was_moved_is_continued_in_a_new_one(sink: SqliteSink, log: Path) -> None:
    records = chained(2)
    sink.write(records[:1])
    for path in list(log.parent.glob("audit.db*")):
        path.rename(path.with_name(f"moved-{path.name}"))
    assert sink.head() == Head(0, records[0].hash)  # no second genesis
    assert [notice.action for notice in sink.notices] == ["log.reopen"]
    sink.write(records[1:])
    assert list(sink.records()) == records[1:]


@pytest.mark.parametrize("stored", ["zeroblob(64)", f"CAST(x'{'ff' * 64}' AS TEXT)"])
def test_a_row_that_is_not_text_is_named_and_hides_no_other(
    sink: SqliteSink, log: Path, stored: str
) -> None:
    records = chained(3)
    sink.write(records)
    sql(
        log,
        *(f"DROP TRIGGER {name}" for (name,) in sql(log, TRIGGERS)),
        f"UPDATE entries SET hash = {stored} WHERE seq = 1",
    )
    with pytest.raises(NotAnEntry, match="entry 1 is not stored as text"):
        list(sink.records())
    assert list(sink.readable()) == [records[0], records[2]]


TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"


def test_a_log_without_a_key_gets_the_table_of_checkpoints_with_the_first(
    sink: SqliteSink, log: Path
) -> None:
    assert list(sink.checkpoints()) == []
    stored = StoredCheckpoint("note", 1, "", None)
    sink.add_checkpoint(stored)
    sql(log, "INSERT INTO checkpoints (note, size, state, id) VALUES ('x', 'many', '', 7)")
    assert list(sink.checkpoints()) == [(1, stored)]
    assert sink.recent_checkpoints() == [stored, NO_CHECKPOINT]


def test_a_fork_that_nobody_announced_is_refused(sink: SqliteSink) -> None:
    sink.write(chained(1))
    sink.forked()  # as a child finds it: with its parent's connection
    with pytest.raises(StoreError, match="was open when C code forked this process"):
        sink.head()


def test_around_a_fork_it_is_closed_and_opened_again(sink: SqliteSink) -> None:
    records = chained(2)
    sink.write(records[:1])
    sink.before_fork()
    with pytest.raises(StoreError, match="is closed"):
        sink.write(records[1:])
    sink.after_fork()
    assert sink.head() == Head(0, records[0].hash)
    sink.write(records[1:])
    assert list(sink.records(1)) == records[1:]
