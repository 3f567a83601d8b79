"""A database never shows other than what was verified: schema, types, indexes, side files."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from chains import THOROUGH
from stubbed import Chain
from verifiers import FILE, MODULE, check, kinds, run

from chained_logging import AuditLog
from chained_logging.cli import main as command_line
from chained_logging.errors import NotAnEntry
from chained_logging.keys import PrivateKey

SCHEMA = (FILE.parent / "sinks" / "schema.sql").read_text(encoding="utf-8")
EVENT = {"actor": "u", "resource": "record/007", "ip": "10.0.0.1"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "audit.db"
    with AuditLog(path, key=PrivateKey.generate(), origin="example.com/t") as log:
        for number in range(5):
            log.append("read", **EVENT, n=number, reason="é\n", changed_fields=["a"])
    return path


@pytest.fixture
def log(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "audit.db"))


def edit(path: Path, *statements: str) -> None:
    """Change a database as somebody does who makes its triggers anew afterwards."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        for name in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for sql in ("PRAGMA ignore_check_constraints = ON", *statements):
            db.execute(sql)
        for sql in triggers.values():
            db.execute(sql)


def objects(path: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT name, sql FROM sqlite_master"))


NAMES = re.findall(r"CREATE \w+ (\w+)", SCHEMA)


def test_the_file_is_what_its_parts_make() -> None:
    tool = FILE.parent.parent / "tools" / "build_verify.py"
    done = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_schema_is_the_writers(made: Path) -> None:
    assert MODULE._SCHEMA == SCHEMA
    assert list(objects(made)) == NAMES
    assert check(made).intact


def test_statistics_change_no_answer(log: Path) -> None:
    with contextlib.closing(sqlite3.connect(log)) as db:
        db.execute("ANALYZE")
    assert check(log).intact


@pytest.mark.parametrize("name", NAMES)
def test_each_object_is_as_the_log_makes_it(made: Path, tmp_path: Path, name: str) -> None:
    sql = objects(made)[name]
    altered = {
        sql.replace(" ON", "\u00a0ON"),
        sql.replace("(", "( "),
        sql.replace("TEXT,", "NUMERIC,"),
        sql.replace("GENERATED", "\u00a0GENERATED", 1),
        sql.replace("ABORT", "IGNORE"),
        sql.replace(") BEGIN", ") AND 0 BEGIN"),
        f"{sql} WHERE seq > 3" if "INDEX" in sql else sql,
        None,
    }
    for number, new in enumerate(altered - {sql}):
        log = Path(shutil.copy(made, tmp_path / f"{number}.db"))
        with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as db:
            db.execute("PRAGMA writable_schema = ON")
            if new is None:
                db.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
            else:
                db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (new, name))
        report = check(log)
        if new is None and name == "entries":
            assert report.status == "unchecked"
        else:
            assert report.status == "tampered", new
            assert any(f.field == "schema" and f" {name}" in f.reason for f in report.faults)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW shown AS SELECT * FROM entries WHERE actor_id <> 'u3'",
        "CREATE TABLE other (entries)",
        "CREATE INDEX partial ON entries (actor_id) WHERE actor_id <> 'u'",
        "CREATE INDEX lying ON entries (lower(actor_id))",
        "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER t INSTEAD OF INSERT ON shown BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE text USING fts5(body)",
        "CREATE TABLE sqlite_stat9 (tbl)",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 99",
    ],
)
def test_what_a_log_does_not_make_is_named(log: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(log)) as db, contextlib.suppress(sqlite3.Error):
        db.execute("CREATE VIEW shown AS SELECT 1")
    with contextlib.closing(sqlite3.connect(log)) as db, contextlib.suppress(sqlite3.Error):
        db.execute(sql)
    assert kinds(log) == {("edited", "schema")}


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE entries SET hash = CAST(hash AS BLOB) WHERE seq = 5", ("malformed", "hash")),
        ("UPDATE entries SET hash = CAST(hash AS BLOB)", ("malformed", "hash")),
        ("UPDATE entries SET signature = x'00' WHERE seq = 2", ("malformed", "signature")),
        ("UPDATE entries SET signature = x'00'", ("malformed", "signature")),
        ("UPDATE entries SET body = CAST(body AS BLOB) WHERE seq = 3", ("malformed", "body")),
        ("UPDATE entries SET signature = '' WHERE seq = 2", ("malformed", None)),
        ("UPDATE entries SET hash = '' WHERE seq = 2", ("malformed", None)),
        ("UPDATE checkpoints SET note = CAST(note AS BLOB)", ("checkpoint", None)),
        ("UPDATE checkpoints SET state = CAST(state AS BLOB)", ("checkpoint", None)),
        ("UPDATE checkpoints SET size = 999999", ("checkpoint", None)),
        ("UPDATE checkpoints SET size = CAST(size AS TEXT) || '.5'", ("checkpoint", None)),
        ("UPDATE checkpoints SET state = 'AAAA'", ("checkpoint", None)),
        ("UPDATE checkpoints SET timestamp = x'00'", ("checkpoint", None)),
    ],
)
def test_a_type_or_a_value_that_no_log_stores_is_named(
    log: Path, sql: str, kind: tuple[str, str | None]
) -> None:
    edit(log, sql)
    report = check(log)
    assert report.status == "tampered"
    assert kind in {(fault.kind, fault.field) for fault in report.faults}


@pytest.mark.parametrize(
    "sql", ["UPDATE entries SET hash = CAST(hash AS BLOB)", "UPDATE entries SET signature = x'00'"]
)
def test_the_writer_and_every_reader_say_so(
    log: Path,
    sql: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit(log, sql)
    target = str(log.with_name("x.jsonl"))
    for arguments in (["query", log], ["query", "--json", log], ["export", log, target]):
        monkeypatch.setattr(sys, "argv", ["chained-logging", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            command_line()
        assert stop.value.code == 2
        assert "is not stored as text" in capsys.readouterr().err
    if "hash" in sql:
        with pytest.raises(NotAnEntry, match="is not stored as text"):
            AuditLog(log)


def test_an_index_that_leaves_an_entry_out_is_found(log: Path) -> None:
    with contextlib.closing(sqlite3.connect(log)) as db:
        page = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'entries_actor_id'"
        ).fetchone()[0]
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(log.read_bytes())
    cells = (page - 1) * size + 3
    count = int.from_bytes(data[cells : cells + 2], "big")
    data[cells : cells + 2] = (count - 1).to_bytes(2, "big")  # the last is gone
    log.write_bytes(data)
    with contextlib.closing(sqlite3.connect(log)) as db:
        found = db.execute("SELECT count(*) FROM entries WHERE actor_id >= ''").fetchone()
        assert found != db.execute("SELECT count(*) FROM entries NOT INDEXED").fetchone()
    assert ("edited", "schema") in kinds(log)


def test_pages_that_are_read_again_and_again_end(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    with AuditLog(path) as many:
        many.append_many([{"action": "read", **EVENT} for _ in range(400)])
    with contextlib.closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    root = (page - 1) * size
    assert data[root] == 5  # an interior page: each of its cells now leads to itself
    count = int.from_bytes(data[root + 3 : root + 5], "big")
    for number in range(count):
        at = root + int.from_bytes(data[root + 12 + 2 * number :][:2], "big")
        data[at : at + 4] = page.to_bytes(4, "big")
    path.write_bytes(data)
    assert check(path).status != "intact"


# --- What stands beside the file.


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {name.name: (name.read_bytes(), name.stat().st_mtime_ns) for name in folder.iterdir()}


def test_a_rollback_journal_is_not_passed_over(log: Path) -> None:
    log.with_name("audit.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(600))
    before = snapshot(log.parent)
    report = check(log)
    assert report.status == "unchecked"
    assert "audit.db-journal" in (report.reason or "")
    assert snapshot(log.parent) == before


@pytest.mark.parametrize("edited", [False, True])
def test_what_is_only_in_the_wal_counts(tmp_path: Path, edited: bool) -> None:
    log, copy = tmp_path / "audit.db", tmp_path / "copy"
    copy.mkdir()
    with AuditLog(log) as writer:
        for _ in range(6):
            writer.append("only in the WAL", **EVENT)
        for suffix in ("", "-wal"):
            shutil.copy(f"{log}{suffix}", copy / f"audit.db{suffix}")
    if edited:
        db = sqlite3.connect(copy / "audit.db", isolation_level=None)
        triggers = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        db.execute("DROP TRIGGER entries_no_update")
        other_hash = "SELECT hash FROM entries WHERE seq = 3"
        db.execute(f"UPDATE entries SET hash = ({other_hash}) WHERE seq = 2")
        db.execute(triggers["entries_no_update"])
        other = tmp_path / "other"
        other.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{copy / 'audit.db'}{suffix}", other / f"audit.db{suffix}")
        db.close()
        copy = other
    before = snapshot(copy)
    report = check(copy / "audit.db")
    assert report.status == ("tampered" if edited else "intact")
    assert snapshot(copy) == before
    if not edited:
        assert report.entries == 7


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder", "junk"])
def test_a_wal_that_is_none_is_not_waited_for(log: Path, kind: str) -> None:
    wal = log.with_name("audit.db-wal")
    if kind == "pipe":
        os.mkfifo(wal)
    elif kind == "folder":
        wal.mkdir()
    elif kind == "junk":
        wal.write_bytes(b"junk" * 5000)
    else:
        wal.symlink_to("/dev/zero" if kind == "device" else wal)
    assert check(log).status in ("intact", "unchecked")
    if kind == "junk":
        assert check(log).intact  # as for every reader: no frame of it is valid


def test_nothing_is_written_to_the_evidence(log: Path) -> None:
    before = snapshot(log.parent)
    assert check(log).intact
    subprocess.run([sys.executable, "-I", "-S", FILE, log], check=True, capture_output=True)
    assert snapshot(log.parent) == before


def test_a_link_is_read_as_sqlite_reads_it(log: Path, tmp_path: Path) -> None:
    """SQLite looks for a WAL and a journal beside what a link points to, not beside the link."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "link.db"
    link.symlink_to(log)
    assert check(link).intact
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("DROP TRIGGER entries_no_delete")
        db.execute("DELETE FROM entries WHERE seq = 2")
        assert Path(f"{log}-wal").stat().st_size
        Path(f"{link}-wal").touch()
        assert check(link).status == "tampered"
        for alone in (False, True):
            assert run(link, alone=alone).returncode == 1
    Path(f"{log}-journal").write_bytes(b"x" * 600)
    assert check(link).status == "unchecked"


@pytest.mark.parametrize("column", ["name", "sql", "type", "tbl_name"])
def test_a_schema_in_blobs_is_not_that_of_a_log(log: Path, column: str) -> None:
    """It has the same bytes, but no query for the text finds it."""
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            f"UPDATE sqlite_master SET {column} = CAST({column} AS BLOB) WHERE name = 'checkpoints'"
        )
    assert check(log).status in ("tampered", "unchecked")


def test_a_size_that_other_programs_refuse_is_named(log: Path) -> None:
    """The verifier reads a schema however odd it is: what it can read, others perhaps cannot."""
    with contextlib.closing(sqlite3.connect(log)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    data = bytearray(log.read_bytes())
    data[28:32] = b"\0\0\0\xff"
    log.write_bytes(data)
    with contextlib.closing(sqlite3.connect(log)) as db, pytest.raises(sqlite3.DatabaseError):
        db.execute("SELECT * FROM entries").fetchall()
    assert check(log).status == "tampered"


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"a?mode=rwc&b#c%20", b"-x", b"--json"])
@pytest.mark.parametrize("suffix", [b".db", b".jsonl"])
def test_a_log_may_have_any_name(tmp_path: Path, name: bytes, suffix: bytes) -> None:
    if sys.platform == "darwin" and not name.isascii():
        pytest.skip("file names are UTF-8 here")
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name + suffix)))
    rotated = {} if suffix == b".db" else {"max_bytes": 1000}
    with AuditLog(path, origin="example.com/t", on_failure="raise", **rotated) as log:
        for _ in range(5):
            log.append("read", **EVENT)
    assert check(path).entries == 6
    for alone in (False, True) if THOROUGH else (suffix == b".jsonl",):
        assert run("--", path.name, alone=alone, cwd=tmp_path).returncode == 0
        assert run(tmp_path, alone=alone).returncode == 0


def test_a_database_from_a_dump_is_no_tampered_one(log: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(log)) as db:
        dump = "\n".join(db.iterdump())
    (tmp_path / "dump.sql").write_text(dump)
    assert "VACUUM INTO" in (check(tmp_path / "dump.sql").reason or "")
    for old, new, status in (
        ("", "", "unchecked"),
        ('"result":"success"', '"result":"denied"', "tampered"),
    ):
        copy = tmp_path / f"{status}.db"
        with contextlib.closing(sqlite3.connect(copy)) as db:
            db.executescript(dump.replace(old, new, 1) if old else dump)
        report = check(copy)
        assert report.status == status
        if status == "unchecked":
            assert "made from a dump" in (report.reason or "")
            with contextlib.closing(sqlite3.connect(copy)) as db:
                db.executescript("PRAGMA application_id = 1668050791; PRAGMA user_version = 1")
            assert check(copy).intact


def test_a_database_without_its_wal_is_no_other_database(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "audit.db", origin="o"):
        shutil.copy(tmp_path / "audit.db", tmp_path / "copy.db")
    report = check(tmp_path / "copy.db")
    assert (report.status, "-wal" in (report.reason or "")) == ("unchecked", True)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_side_file_that_is_no_file_is_not_passed_over(log: Path, suffix: str) -> None:
    side = Path(f"{log}{suffix}")
    os.mkfifo(side)
    assert check(log).reason == f"{side} is not a regular file"
    side.unlink()
    side.symlink_to("/dev/zero")
    assert check(log).status == "unchecked"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM resources WHERE seq = 1",
        "UPDATE resources SET id = '9' WHERE seq = 2",
        "INSERT INTO resources (type, id, seq) VALUES ('note', '9', 2)",
    ],
)
def test_the_table_of_resources_names_what_the_bodies_name(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, origin="o") as audit:
        for number in range(3):
            audit.append("read", **EVENT, resources=[("record", f"{number}"), ("note", "1")])
    assert check(path).intact
    edit(path, statement)
    assert kinds(path) == {("edited", "schema")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE purges SET by = 'x'",
        "UPDATE purges SET last = 'x'",
        "UPDATE purges SET last = zeroblob(3), by = 3",
        "UPDATE purges SET by = 12 WHERE first = 4",
        "INSERT INTO purges VALUES (8, 8, 11)",
        "DELETE FROM purges WHERE first = 4",
    ],
)
def test_the_table_of_purges_names_what_the_entries_name(tmp_path: Path, statement: str) -> None:
    chain = Chain()
    chain.grow(10)
    chain.purge([4, 5, 7])
    chain.grow(3)
    path = chain.write(tmp_path / "audit.db")
    assert check(path).intact
    edit(path, statement)
    assert kinds(path) == {("edited", "schema")}
