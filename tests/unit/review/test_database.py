"""A database is asked as it is, what is wrong in it is not shown, and an index helps at last."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review import database, opening
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

BOB = Filter(actor=("bob",))
REQUEST = {"route": "/wards/{ward_id}", "params": {"ward_id": "7"}}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(opening, "SMALL", 0)
    path = tmp_path / "log" / "audit.db"
    path.parent.mkdir()
    fill(path, *["ann", "bob", "cy", "bob"] * 5)
    return path


def fill(path: Path, *actors: str) -> None:
    with AuditLog(path) as opened:
        opened.append_many(
            [{**EVENT, "action": "read", "actor": actor, **REQUEST} for actor in actors]
        )


def changed(path: Path, *statements: str) -> None:
    """Change a log as somebody does who can write its file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def is_indexed(log: Path) -> bool:
    return log.with_name(f"{log.name}.index").exists()


def seqs(engine: Engine, wanted: Filter) -> list[int]:
    return [entry.seq for entry in engine.every(wanted)]


@pytest.mark.parametrize(
    "text",
    ["", "actor=bob", "resource=wards/7&actor=cy", "text=wards", "result=success", "since=1h"],
)
def test_no_index_is_made(log: Path, text: str) -> None:
    wanted = Filter.parse(text)
    with open_log(str(log)) as engine:
        assert engine.count(wanted) == len(seqs(engine, wanted)) > 0
        engine.facets(wanted)
        engine.histogram(wanted)
        engine.scope(wanted)
    assert not is_indexed(log)


def test_what_is_appended_since_is_found(log: Path) -> None:
    wanted = [BOB, Filter(text=("wards",)), Filter(since="2020"), ANY]
    with open_log(str(log)) as engine:
        before = [engine.count(one) for one in wanted]
        fill(log, "bob")
        assert [engine.count(one) for one in wanted] == [count + 1 for count in before]
        assert all(seqs(engine, one)[-1] == 21 for one in wanted)


def test_an_id_is_found_wherever_it_is(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_NEAR", 0)
    with open_log(str(log)) as engine:
        for entry in list(engine.every()):
            assert seqs(engine, Filter(id=(entry.id,))) == [entry.seq]
        assert seqs(engine, Filter(id=("00000000-0000-7000-8000-000000000000",))) == []


def test_more_than_few_are_found_and_counted_too(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FEW", 3)
    with open_log(str(log)) as engine:
        for text in ("actor=bob", "actor=bob&actor=ann&result=success", "since=1h&action=read"):
            wanted = Filter.parse(text)
            expected = [entry.seq for entry in engine.every() if wanted.matches(entry)]
            assert seqs(engine, wanted) == expected
            assert engine.count(wanted) == engine.scope(wanted).entries == len(expected)
        assert not is_indexed(log)
        assert engine.count(Filter(text=("wards",))) == 20  # too many to look at each
        assert is_indexed(log)


def test_other_tables_are_not_believed(log: Path) -> None:
    """Where ``entries`` is a view of another table, SQL shows what nobody wrote."""
    changed(
        log,
        "UPDATE sqlite_master SET sql = replace(sql, '$.actor_id', '$.action')"
        " WHERE name = 'entries'",
    )
    with open_log(str(log)) as engine:
        assert seqs(engine, BOB) == [seq for seq in range(1, 21) if seq % 2 == 0]
        assert engine.count(Filter(actor=("read",))) == 0


def test_an_index_of_the_database_that_lies_is_not_used_again(log: Path) -> None:
    """Its index says that an entry is bob's: the entry says that it is not."""
    definition = "CREATE INDEX entries_actor_id ON entries (actor_id)"
    other = definition.replace("(actor_id)", "(CASE seq WHEN 1 THEN 'bob' ELSE actor_id END)")
    changed(log, "DROP INDEX entries_actor_id", other)
    changed(log, f"UPDATE sqlite_master SET sql = '{definition}' WHERE name = 'entries_actor_id'")
    with open_log(str(log)) as engine:
        assert engine.count(BOB) == 11
        assert seqs(engine, BOB) == [seq for seq in range(1, 21) if seq % 2 == 0]
        assert engine.count(BOB) == 10


def test_an_entry_that_was_edited_is_said(log: Path) -> None:
    changed(
        log,
        "DROP TRIGGER entries_no_update",
        "UPDATE entries SET body = replace(body, '\"bob\"', '\"eve\"') WHERE seq = 2",
        "CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN\n"
        "  SELECT RAISE(ABORT, 'the audit log is append-only: no entry is changed');\nEND",
    )
    with open_log(str(log)) as engine:
        assert [entry.seq for entry in engine.every(Filter(actor=("eve",)))] == [2]
        assert engine.store.fault == "the hash of entry 2 is not that of its content"
    assert not is_indexed(log)


@pytest.mark.skipif(os.getuid() != 0, reason="another user is needed")
def test_a_folder_without_write_access_is_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    fill(log, "ann", "bob")
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    before = sorted(tmp_path.iterdir())
    tmp_path.chmod(0o555)
    for folder in tmp_path.parents:
        if folder.name.startswith(("pytest-", "popen-")):
            folder.chmod(0o755)
    code = (
        "import os, sys\n"
        "from chained_logging.review.opening import open_log\n"
        "from chained_logging.review.database import _known\n"
        "_known()  # while all of Python can be read\n"
        "os.setuid(65534)\n"
        "with open_log(sys.argv[1]) as engine: print([e.actor_id for e in engine.every()])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, log], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "['chained_logging', 'ann', 'bob']\n", ran.stderr
    assert sorted(tmp_path.iterdir()) == before
