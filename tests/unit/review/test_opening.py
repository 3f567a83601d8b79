"""A log is opened by what it is: a file, a database, a store; and its index is kept if it pays."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from folder_store import FolderStore

from chained_logging import AuditLog
from chained_logging.review import opening
from chained_logging.review.database import DatabaseLog
from chained_logging.review.files import JsonlSource
from chained_logging.review.filter import Filter
from chained_logging.review.index import IndexedLog
from chained_logging.review.opening import is_url, named, open_log, stored
from chained_logging.review.query import Engine

BOB = Filter(actor=("bob",))


@pytest.fixture
def log(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(path.parent / "cache"))
    with AuditLog(path) as opened:
        opened.append_many([{**EVENT, "action": "read", "actor": name} for name in ("ann", "bob")])
    return path


def source(engine: Engine) -> object:
    assert isinstance(engine.store, IndexedLog)
    return engine.store._source


def test_a_file_and_a_database_are_read_each_by_its_source(log: Path) -> None:
    with open_log(str(log)) as engine:
        if log.suffix == ".db":
            assert isinstance(engine.store, DatabaseLog)  # asked as it is
        else:
            assert isinstance(source(engine), JsonlSource)
        assert engine.store.name == str(log)
        assert engine.count(BOB) == 1


def test_only_a_large_log_has_its_index_kept(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = log.with_name(f"{log.name}.index")
    open_log(str(log)).close()
    assert not index.exists()
    monkeypatch.setattr(opening, "SMALL", 0)
    open_log(str(log)).close()
    assert index.exists() is (log.suffix == ".jsonl")


def test_a_fresh_index_asks_the_log_alone(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SMALL", 0)
    with open_log(str(log), fresh=True) as engine:
        assert engine.count(BOB) == 1
    assert not log.with_name(f"{log.name}.index").exists()


def test_a_store_has_its_index_in_the_cache(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = log.parent / "store"
    with AuditLog(log) as opened:
        FolderStore(folder).write("web", list(opened.records()), [])
    monkeypatch.setattr(
        "chained_logging.review.sources.open_destination", lambda _: FolderStore(folder)
    )
    cache = log.parent / "cache"
    with open_log("nats://host/S", origin="web", fresh=True) as engine:
        assert engine.count(BOB) == 1
    assert not cache.exists()
    with open_log("nats://host/S") as engine:
        assert engine.count(BOB) == 1
    assert len(list(cache.glob("chained-logging/*.index"))) == 1


def test_what_does_not_exist_is_said(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.db"):
        with pytest.raises(OSError, match="none"):
            open_log(str(tmp_path / name))


def test_a_file_with_the_name_of_a_url_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_url("s3://bucket")
    assert not is_url("audit.jsonl")
    Path("s3:").mkdir()
    Path("s3:/bucket").touch()
    assert not is_url("s3://bucket")


def test_entries_are_yielded_as_they_are_stored(log: Path) -> None:
    with AuditLog(log) as opened:
        expected = list(opened.records())
    found = list(stored(str(log)))
    assert [(e.body, e.hash, e.signature) for e in found] == [r[1:] for r in expected]


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("/var/log/app/audit.db", "audit.db"),
        ("postgresql://ann:secret@db.example/audit", "db.example/audit"),
        ("postgresql://db.example/audit?user=ann&password=secret", "db.example/audit"),
        ("s3://acme-audit/logs?endpoint=x", "acme-audit/logs"),
    ],
)
def test_the_name_of_a_log_has_no_folder_and_no_secret(where: str, name: str) -> None:
    assert named(where) == name
