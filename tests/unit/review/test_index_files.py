"""Where an index is kept, who may have written it, and how a new one takes its place."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from chained_logging.review.index_files import cached_path, connect, index_path, replacing, schema


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "chained-logging"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "audit.jsonl"


def foreign(path: Path) -> None:
    """Make a file that others can write to."""
    path.touch()
    path.chmod(0o666)


def test_it_lies_beside_the_log(log: Path) -> None:
    assert index_path(log) == log.with_name("audit.jsonl.index")


@pytest.mark.parametrize("side", ["", "-journal", "-wal", "-shm"])
def test_one_that_others_can_write_to_is_passed_over(log: Path, cache: Path, side: str) -> None:
    foreign(log.with_name(f"audit.jsonl.index{side}"))
    found = index_path(log)
    assert found is not None
    assert found.parent == cache
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    foreign(found.with_name(f"{found.name}{side}"))
    assert index_path(log) is None


def test_each_log_has_its_own_in_the_cache(log: Path) -> None:
    foreign(log.with_name("audit.jsonl.index"))
    link = log.with_name("link")
    link.symlink_to(log)
    foreign(link.with_name("link.index"))
    assert index_path(log) == index_path(link) == cached_path(str(log)) != cached_path("another")


def test_a_cache_that_cannot_be_made_is_none(log: Path, cache: Path) -> None:
    cache.parent.write_text("a file")
    assert cached_path("name") is None


def test_opening_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(sqlite3.Error):
        connect(path)
    assert not path.exists()


def test_indexes_are_made_once_the_tables_are_filled() -> None:
    before, after = schema()
    assert [sql.split()[1] for sql in before] == ["TABLE", "TABLE", "VIRTUAL", "TABLE", "TABLE"]
    assert [sql.split()[1] for sql in after] == ["INDEX", "INDEX"]
    with closing(connect(None)) as database:
        for sql in (*before, *after):
            database.execute(sql)


def test_a_new_one_takes_the_place_of_the_old_with_what_lay_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "index"
    for side in ("", "-journal", "-wal", "-shm"):
        path.with_name(f"index{side}").write_text("old")
    umask = os.umask(0)
    try:
        with replacing(path) as database:
            database.execute("CREATE TABLE t (a)")
            assert path.read_text() == "old"
    finally:
        os.umask(umask)
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(connect(path)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]


def test_one_that_is_not_complete_leaves_the_old_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_containers_with_one_folder_do_not_take_each_others_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "index"
    monkeypatch.setattr(socket, "gethostname", lambda: "one")
    with replacing(path) as first:
        first.execute("CREATE TABLE first (a)")
        monkeypatch.setattr(socket, "gethostname", lambda: "two")
        with replacing(path) as second:
            second.execute("CREATE TABLE second (a)")
    assert list(tmp_path.iterdir()) == [path]
    with closing(connect(path)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("first",)]
