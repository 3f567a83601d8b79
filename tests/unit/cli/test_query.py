"""``query``: what a person and a program get to read."""

from __future__ import annotations

import csv
import io
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import run
from ready import run as ran

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.review import opening

LOGGED = {"action": "read", "actor": "u-1", "ip": "10.0.0.1"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        opened.append_many([{**EVENT, "action": "read", "actor": f"user-{n}"} for n in range(9)])
    return path


def test_query_finds_by_each_field_and_names_whom_one_acted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.jsonl"
    listed = ["patient/1", "https://x.example/2"]
    with AuditLog(path) as log:
        log.append(**LOGGED, resource="patient/7", tenant="acme", on_behalf_of="u-2")
        log.append(**LOGGED, resource="patients", resources=listed, trace_id="1f" * 16)
        log.append(**LOGGED, resource=("patients", "p" * 50), resources=listed)
    shown = {}
    for option in (
        *("--resource=patient/1", "--resource=patient", "--resource=https://x.example/2"),
        *("--resource=patient/2", "--tenant=acme", "--on-behalf-of=u-2"),
        f"--trace-id={'1F' * 16}",
    ):
        cli(["query", str(path), option], standalone_mode=False)
        lines = capsys.readouterr().out.splitlines()[1:]
        shown[option.partition("=")[2]] = [int(line.split()[0]) for line in lines]
    assert list(shown.values()) == [[2, 3], [1, 2, 3], [2, 3], [], [1], [1], [2]]
    cli(["query", str(path), "--seq=0-3"], standalone_mode=False)
    _, _, first, second, third = capsys.readouterr().out.splitlines()
    assert "u-1 for u-2 " in first
    assert "patients/* +2 " in second
    assert f"patients/{'p' * 17}… +2  success " in third


def test_query_refuses_resources_that_no_log_wrote(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append(**LOGGED, resource="patients", resources=["patient/1"])
    path.write_bytes(path.read_bytes().replace(b'[{"id":"1","type":"patient"}]', b'["x"]'))
    with pytest.raises(ValueError, match=r"was not written by a log \(resources\)"):
        cli(["query", str(path), "--resource", "x"], standalone_mode=False)


def test_json_is_the_stored_bytes(log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    assert run("query", log, "--json") == "".join(lines)
    found = run("query", log, "--json", "--actor", "user-3", "--actor", "user-5")
    assert found == lines[4] + lines[6]


def test_csv_has_every_field_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("read", actor="=cmd()", resource="a/1", ip="10.0.0.1", reason="two\nlines, é")
    rows = list(csv.DictReader(io.StringIO(run("query", path, "--csv", "--action", "read"))))
    assert len(rows) == 1
    assert rows[0]["actor_id"] == "'=cmd()"
    assert rows[0]["reason"] == "two\nlines, é"
    assert (rows[0]["seq"], rows[0]["old_values"], len(rows[0]["hash"])) == ("1", "", 64)
    assert "cannot be combined" in run("query", path, "--csv", "--json", status=2)


def test_nothing_found_says_what_was_looked_at(log: Path) -> None:
    done = ran(["query", str(log), "--action", "Raed", "--actor", "user-3"])
    assert done.returncode == 0
    looked, near = done.stderr.splitlines()
    assert looked.startswith("no entry matches: looked at 10 entries, 20")
    assert looked.endswith("for entries by user-3, with action Raed")
    assert near == "no entry of the log is one with action Raed: did you mean read?"
    done = ran(["query", str(log), "--actor", "user-3", "--seq", "1"])
    assert "each part of the filter matches entries" in done.stderr


def test_what_others_wrote_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    evil = "\x1b[2J\u202eevil\x07\n"
    with AuditLog(path) as log:
        log.append(evil, actor=evil, resource=("a", evil), ip="10.0.0.1")
    done = ran(["query", str(path)])
    table = done.stdout + done.stderr
    assert all(char.isprintable() or char == "\n" for char in table)
    assert len(done.stdout.splitlines()) == 3
    done = ran(["query", str(path), "--actor", "\x1b[2J"])
    assert "\x1b" not in done.stderr


def test_a_time_is_said_in_utc(log: Path) -> None:
    done = ran(["query", str(log), "--since", "2020-01-01T00:00+02:00", "--until=2020-02-01Z"])
    assert done.stderr.splitlines()[0] == "since 2019-12-31T22:00:00Z, before 2020-02-01T00:00:00Z"


def test_a_limit_takes_the_newest_and_shows_them_in_order(log: Path) -> None:
    rows = run("query", log, "--limit", "2").splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["8", "9"]


def test_a_broken_chain_is_said_and_the_status_is_1(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"user-3", b"user-4"))
    done = ran(["query", str(log), "--actor", "user-4"])
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert (
        "the hash of entry 4 is not that of its content: run chained-logging verify" in done.stderr
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as opened:
        opened.append_many([{**EVENT, "action": "read", "actor": f"user-{n}"} for n in range(9)])
    return path


@pytest.mark.parametrize(
    ("change", "asked", "fault"),
    [
        ("UPDATE entries SET body = replace(body, 'user-3', 'user-4') WHERE seq = 4",
         ["--actor=user-4"], "the hash of entry 4 is not that of its content"),
        ("UPDATE entries SET body = replace(body, 'user-3', 'user-4') WHERE seq = 4",
         ["--question=actor-activity", "--actor=user-4"],
         "the hash of entry 4 is not that of its content"),
        ("DELETE FROM entries WHERE seq = 4", ["--actor=user-4"], "entry 4 is missing"),
        ("UPDATE entries SET hash = replace(hash, substr(hash, 1, 8), '00000000') WHERE seq = 4",
         ["--actor=user-4"], "entry 5 does not follow entry 4"),
    ],
)  # fmt: skip
def test_a_broken_chain_of_a_database_is_said_where_it_is_shown(
    database: Path, change: str, asked: list[str], fault: str
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        guards = "name IN ('entries_no_update', 'entries_no_delete')"
        kept = connection.execute(f"SELECT name, sql FROM sqlite_master WHERE {guards}").fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(change)
        for _, sql in kept:
            connection.execute(sql)
        connection.commit()
    done = ran(["query", str(database), *asked])
    assert (done.returncode, f"{fault}: run chained-logging verify" in done.stderr) == (1, True)
    assert ran(["query", str(database), "--actor=user-8"]).returncode == 0  # far from it


def test_the_index_of_a_database_is_made_where_it_is_asked_for(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(opening, "SMALL", 0)
    index = database.with_name("audit.db.index")
    made = []
    for options in ((), ("--index",), ()):
        cli(["query", str(database), "--result=success", *options], standalone_mode=False)
        assert len(capsys.readouterr().out.splitlines()) > 9
        made.append(index.exists())
    assert made == [False, True, True]


def test_follow_goes_on_with_what_is_appended(log: Path) -> None:
    command: list[Any] = [sys.executable, "-m", "chained_logging", "query", log, "--follow"]
    command += ["--json", "--actor", "ann"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert process.stderr.readline().startswith(b"no entry matches")
        with AuditLog(log) as opened:
            opened.append("read", **{**EVENT, "actor": "bob"})
            opened.append("read", **{**EVENT, "actor": "ann"})
        assert b'"actor_id":"ann"' in process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
