"""What SQL shows of an entry is what its body says, whatever is stored beside it.

The verifier relies on this: SQLite computes the columns of the very schema from the body, and finds
each index that says otherwise. So here are files that say otherwise, under the very schema.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from verifiers import FILE, check

from chained_logging import AuditLog

SCHEMA = (FILE.parent / "sinks" / "schema.sql").read_text(encoding="utf-8")
COLUMNS = re.findall(r"(?m)^  (\w+) GENERATED", SCHEMA)
STORED = ["seq", "body", "hash", "signature"]
INDEXED = re.findall(r"INDEX (\w+) ON entries \((.*)\)", SCHEMA)
EVENT: dict[str, Any] = {
    "ip": "10.0.0.1",
    "on_behalf_of": "b",
    "user_agent": "curl/8",
    "session_id": "s",
    "tenant_id": "t",
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "changed_fields": ["a", "é"],
    "old_values": {"a": 1.5, "b": [None, True]},
    "reason": "é\n\u0001\U0001f600",
}

Row = dict[str, Any]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path, origin="example.com/t") as log:
        for number in range(40):
            record = f"r/{number}"
            log.append("read", actor=f"u{number % 7}", resource=record, resources=[record], **EVENT)
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        yield db


def forged(
    log: Path, lie: Callable[[Row], Row] | None = None, indexes: dict[str, str] | None = None
) -> Path:
    """Return a log's database with other content under the same schema.

    :param lie: what the columns hold: they are stored, as nothing would compute them.
    :param indexes: how other indexes are made.
    """
    path = log.with_name("forged.db")
    with opened(log) as db:
        catalogue = db.execute("SELECT name, sql FROM sqlite_master").fetchall()
        names = STORED + COLUMNS if lie else STORED
        rows = db.execute(f"SELECT {', '.join(names)} FROM entries").fetchall()
        resources = db.execute("SELECT type, id, seq FROM resources ORDER BY rowid").fetchall()
    with opened(path) as db:
        columns = ", ".join(["seq INTEGER PRIMARY KEY", *names[1:]])
        marks = ", ".join("?" * len(names))
        for name, sql in catalogue:
            plain = lie and name == "entries"
            db.execute(f"CREATE TABLE entries ({columns})" if plain else sql)
            if name == "entries":
                told = [dict(zip(names, row, strict=True)) for row in rows]
                values = [tuple((lie(row) if lie else row).values()) for row in told]
                db.executemany(f"INSERT INTO entries ({', '.join(names)}) VALUES ({marks})", values)
            elif name == "resources":
                db.executemany("INSERT INTO resources VALUES (?, ?, ?)", resources)
        for name, sql in (indexes or {}).items():
            db.execute(f"DROP INDEX {name}")
            db.execute(sql)
        for name, sql in catalogue:
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
        db.execute("PRAGMA application_id = 1668050791")
        db.execute("PRAGMA user_version = 1")
    return path


def shown(path: Path) -> list[Row]:
    """Return what SQL shows of each entry."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM entries NOT INDEXED")]


def reindex(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("REINDEX")


def test_what_is_shown_is_what_the_body_says(log: Path) -> None:
    rows = shown(log)
    assert len(rows) == 41
    for row in rows:
        entry = json.loads(row["body"])
        for name in COLUMNS:
            held = entry.get(name)
            found = json.loads(row[name]) if isinstance(held, list | dict) else row[name]
            assert (found, type(found)) == (held, type(held))
    assert set(json.loads(rows[1]["body"])) == {"seq", *COLUMNS}


def test_what_is_stored_beside_a_body_is_not_shown(log: Path) -> None:
    path = forged(log, lambda row: {**row, **dict.fromkeys(COLUMNS, "liar")})
    assert shown(path) == shown(log)
    with contextlib.closing(sqlite3.connect(path)) as db:  # but the indexes say it
        assert db.execute("SELECT count(*) FROM entries WHERE action = 'liar'").fetchone()[0]
    assert check(path).status == "tampered"
    reindex(path)
    assert shown(path) == shown(log)
    assert check(path).intact


@pytest.mark.parametrize("lie", ["u99", "u", None, b"u2", 7])
@pytest.mark.parametrize(("index", "columns"), INDEXED)
def test_an_index_that_says_other_of_one_entry_is_found(
    log: Path, index: str, columns: str, lie: Any
) -> None:
    name = columns.split(", ")[-1]
    path = forged(log, lambda row: {**row, name: lie} if row["seq"] == 20 else row)
    with contextlib.closing(sqlite3.connect(path)) as db:
        others = [other for other, _ in INDEXED if other != index]
        for other in (*others, "resources_type_id"):
            db.execute(f"REINDEX {other}")
    report = check(path)
    assert {(fault.kind, fault.field) for fault in report.faults} == {("edited", "schema")}
    assert any(index in fault.reason for fault in report.faults)
    reindex(path)
    assert check(path).intact


@pytest.mark.parametrize(
    "made",
    [
        "(actor_id DESC)",
        "(session_id)",
        "(actor_id, resource_id)",
        "(CAST(actor_id AS BLOB))",
        "(actor_id || '')  WHERE seq <> 20",
        "(iif(seq = 20, 'u9', actor_id))",
        "(iif(seq = 20, 'U2', actor_id) COLLATE NOCASE)",
    ],
)
def test_an_index_that_was_made_otherwise_is_found(log: Path, made: str) -> None:
    sql = f"CREATE INDEX entries_actor_id ON entries {made}"
    path = forged(log, indexes={"entries_actor_id": sql})
    assert check(path).status == "tampered"


def test_an_index_that_is_another_is_found(log: Path) -> None:
    path = forged(log)
    assert check(path).intact
    with opened(path) as db:
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master"))
        swapped = {"entries_actor_id": "entries_action", "entries_action": "entries_actor_id"}
        for name, other in swapped.items():
            statement = "UPDATE sqlite_master SET rootpage = ? WHERE name = ?"
            db.execute(statement, (roots[other], name))
    assert check(path).status == "tampered"
