"""Removing rows: in small transactions, with all that belongs to them, and their space."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from retention_logs import everything_in, fill, old, stubs

from chained_logging.errors import Busy
from chained_logging.sinks import removal_rows
from chained_logging.sinks.removal_rows import ROWS, removals
from chained_logging.sinks.sqlite import SqliteSink


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.db"


def test_a_piece_has_a_few_hundred_rows(log: Path) -> None:
    sink = SqliteSink(log)
    pieces = list(removals([(1, 1400), (1402, 1402), (1600, 4000)], sink.transaction))
    named = [piece._named for piece in pieces]
    assert [sum(b - a + 1 for a, b in each) for each in named] == [ROWS] * 3 + [802]
    assert named[1] == [(1001, 1400), (1402, 1402), (1600, 2198)]


def test_the_rows_of_further_resources_go_too_and_others_stay(log: Path) -> None:
    many = [("patient_record", str(n)) for n in range(3)]
    fill(log, [old(9, resources=many) for _ in range(4)])
    sink = SqliteSink(log)
    sink.head()
    with sink.transaction() as connection:
        connection.execute("DROP TRIGGER stubs_of_entries")
    (piece,) = removals([(2, 3)], sink.transaction)
    assert piece.commit(lambda record: True) == 2
    with sink.transaction() as connection:
        rows = connection.execute("SELECT DISTINCT seq FROM resources").fetchall()
    assert rows == [(1,), (4,)]
    sink.close()


def test_a_piece_goes_as_a_whole_or_not_at_all(log: Path) -> None:
    fill(log, [old(9) for _ in range(9)])
    sink = SqliteSink(log)
    sink.head()
    (piece,) = removals([(2, 3)], sink.transaction)
    with pytest.raises(Exception, match=r"no retention\.apply names this entry"):
        piece.commit(lambda record: True)
    assert not stubs(log)
    sink.close()


def test_no_page_of_what_goes_is_in_a_temporary_file(log: Path) -> None:
    fill(log, [old(9)])
    sink = SqliteSink(log)
    sink.head()
    sink.removals([(1, 1)])
    with sink.transaction() as connection:
        assert connection.execute("PRAGMA temp_store").fetchone() == (2,)
    sink.close()


@pytest.mark.parametrize("mode", ["INCREMENTAL", "NONE"])
def test_space_is_given_back_and_nothing_stays(log: Path, mode: str) -> None:
    fill(log, [old(9, note=f"secret-{n}-" * 20) for n in range(400)])
    if mode == "NONE":  # as in a copy that another program made
        with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as other:
            other.execute("PRAGMA auto_vacuum = NONE")
            other.execute("PRAGMA journal_mode = DELETE")
            other.execute("VACUUM")
    size = log.stat().st_size
    sink = SqliteSink(log)
    sink.head()
    with sink.transaction() as connection:
        connection.execute("DROP TRIGGER stubs_of_entries")
    for piece in [*sink.removals([(1, 400)]), *sink.give_back()]:
        piece.commit(lambda record: True)
    for piece in sink.give_back():
        piece.commit(lambda record: True)
    assert log.stat().st_size < size / 3
    assert b"secret-" not in everything_in(log.parent)
    assert len(stubs(log)) == 400
    sink.close()


def test_who_keeps_old_pages_is_waited_for_and_named(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal_rows, "_PATIENCE", 20)
    fill(log, [old(9)])
    sink = SqliteSink(log)
    sink.head()
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()
        with sink.transaction() as connection:
            connection.execute("CREATE TABLE x (y)")
        with pytest.raises(Busy, match="still reads the log as it was"):
            [*sink.give_back()][-1].commit(lambda record: True)
    [*sink.give_back()][-1].commit(lambda record: True)
    sink.close()
