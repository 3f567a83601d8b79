"""An index finds what is in the log, goes on with it, and is thrown away when it does not fit."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review import opening
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log

BOB = Filter(actor=("bob",))


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the indexes of small logs, too."""
    monkeypatch.setattr(opening, "SMALL", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def event(actor: str) -> dict[str, Any]:
    return {**EVENT, "action": "read", "actor": actor}


@pytest.fixture(params=["jsonl", "db"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / f"audit.{request.param}"
    fill(path, "ann", "bob", "cy", "bob")
    if request.param == "db":  # one with other tables than a log's is not asked as it is
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE more (x)")
    return path


def fill(path: Path, *actors: str, **options: Any) -> None:
    with AuditLog(path, **options) as opened:
        opened.append_many([event(actor) for actor in actors])


def index_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.index")


def found(log: Path, wanted: Filter = BOB) -> list[int]:
    with open_log(str(log)) as engine:
        seqs = [entry.seq for entry in engine.every(wanted)]
        assert engine.count(wanted) == len(seqs)
        return seqs


def test_it_is_kept_for_its_user_alone_and_goes_on_with_the_log(log: Path) -> None:
    assert found(log) == [2, 4]
    status = index_of(log).stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    fill(log, "bob", "dan")
    assert found(log) == [2, 4, 5]
    assert index_of(log).stat().st_ino == status.st_ino  # not made again
    assert sorted(path.name for path in log.parent.glob("*.index*")) == [index_of(log).name]


def test_another_log_in_the_same_place_gets_another_index(log: Path) -> None:
    assert found(log) == [2, 4]
    for path in log.parent.iterdir():
        if path != index_of(log):
            path.unlink()
    fill(log, "bob", "ann", "ann", "ann", "ann", "ann")
    assert found(log) == [1]


def test_a_log_that_was_cut_gets_another_index(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    fill(log, "ann", "bob", "bob")
    assert found(log) == [2, 3]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]))
    assert found(log) == [2]


def test_an_entry_that_was_edited_since_is_shown_as_the_log_has_it(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    fill(log, "ann", "bob", "cy")
    assert found(log) == [2]
    log.write_bytes(log.read_bytes().replace(b'"bob"', b'"eve"'))
    assert found(log) == []
    with open_log(str(log)) as engine:
        assert engine.store.fault == "the hash of entry 2 is not that of its content"
        assert [entry.actor_id for entry in engine.every()][2] == "eve"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entries SET place = 0 WHERE seq = 2",
        "UPDATE entries SET place = 10000000 WHERE seq = 2",
        "UPDATE entries SET place = (SELECT place FROM entries WHERE seq = 1), hash ="
        " (SELECT hash FROM entries WHERE seq = 1) WHERE seq = 2",
        "INSERT INTO words (rowid, text) VALUES (3, '_a626f62')",  # cy's, as bob's
        "DELETE FROM entries WHERE seq = 2; DROP INDEX entries_id",
        "UPDATE about SET value = 'x' WHERE name = 'hash'",
        "UPDATE about SET value = 'x' WHERE name = 'seq'",
        "UPDATE about SET value = '-7' WHERE name = 'place'",
        "UPDATE about SET value = '9' || value WHERE name = 'place'",
        "UPDATE about SET value = '99999999999999999999' WHERE name = 'place'",
        "DELETE FROM about WHERE name = 'leaf'",
        "UPDATE entries SET place = -7 WHERE seq = 2",
        "UPDATE entries SET place = 'x' WHERE seq = 2",
        "DROP TABLE words",
        "DROP TABLE about",
    ],
)
def test_who_can_write_the_index_cannot_have_shown_what_the_log_does_not_say(
    tmp_path: Path, sql: str
) -> None:
    log = tmp_path / "audit.jsonl"
    fill(log, "ann", "bob", "cy")
    assert found(log) == [2]
    with closing(sqlite3.connect(index_of(log))) as database:
        database.executescript(sql)
    with open_log(str(log)) as engine:
        assert [(entry.seq, entry.actor_id) for entry in engine.every(BOB)] == [(2, "bob")]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 10_000])
def test_a_damaged_index_is_made_again(log: Path, content: bytes) -> None:
    index_of(log).write_bytes(content)
    index_of(log).chmod(0o600)
    assert found(log) == [2, 4]


@pytest.mark.parametrize("mode", [0o666, 0o660])
def test_an_index_that_others_can_write_to_is_not_believed(log: Path, mode: int) -> None:
    assert found(log) == [2, 4]
    index_of(log).chmod(mode)
    before = index_of(log).read_bytes()
    fill(log, "bob")
    assert found(log) == [2, 4, 5]
    assert index_of(log).read_bytes() == before


def test_a_link_in_its_place_is_not_followed(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    index_of(log).symlink_to(other)
    assert found(log) == [2, 4]
    assert other.read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_has_its_index_in_the_cache(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != log.parent and access(path, mode)
    )
    assert found(log) == [2, 4]
    assert not index_of(log).exists()
    (cached,) = (tmp_path / "cache" / "chained-logging").iterdir()
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    assert stat.S_IMODE(cached.parent.stat().st_mode) == 0o700
    fill(log, "bob")
    assert found(log) == [2, 4, 5]


def test_segments_are_found_wherever_they_move(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with AuditLog(log, max_bytes=2000) as opened:
        for number in range(12):
            opened.append(**event("bob" if number % 2 else "ann"))
    wanted = list(range(2, 13, 2))
    assert found(log) == wanted
    inode = index_of(log).stat().st_ino
    first, second, *_ = sorted(tmp_path.glob("audit.0*.jsonl"))
    second.with_name(f"{second.name}.gz").write_bytes(gzip.compress(second.read_bytes()))
    second.unlink()
    assert found(log) == wanted
    first.rename(tmp_path / "audit.jsonl.1")
    assert found(log) == wanted
    assert index_of(log).stat().st_ino == inode
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (tmp_path / "audit.jsonl.1").unlink()
    assert found(log) != wanted  # it says what the log has now
