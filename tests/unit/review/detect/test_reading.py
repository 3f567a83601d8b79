"""The entries of a log in order, whatever stores it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from chained_logging import AuditLog
from chained_logging.errors import BrokenLog
from chained_logging.review.detect.reading import entries, parsed
from chained_logging.review.opening import open_log
from chained_logging.review.query import Misfit
from chained_logging.sinks import sqlite

EVENT = {"action": "read", "actor": "ann", "resource": "record/1", "ip": "10.0.0.1"}


@pytest.fixture(params=["audit.jsonl", "audit.db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    with AuditLog(path) as log:
        log.append_many([EVENT] * 30)
    return path


def test_each_entry_comes_once_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BATCH", 4)
    with open_log(str(path)) as engine:
        assert [entry.seq for entry in entries(engine, -1, 1000)] == list(range(31))
        assert [entry.seq for entry in entries(engine, 5, 12)] == list(range(6, 13))
        assert not list(entries(engine, 30, 1000))
        assert not list(entries(engine, 12, 12))


def test_what_is_read_is_what_is_stored(path: Path) -> None:
    with open_log(str(path)) as engine:
        shown = [(entry.seq, entry.hash, entry.fields) for entry in engine.every()]
        assert [(one.seq, one.hash, one.fields) for one in entries(engine, -1, 30)] == shown


def test_a_log_that_never_fits_its_index_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append_many([EVENT] * 3)

    def misfit(*_: object) -> None:
        raise Misfit("entry 1 is not what it was")

    with open_log(str(tmp_path / "audit.jsonl")) as engine:
        monkeypatch.setattr(engine.store, "stream", misfit)
        with pytest.raises(BrokenLog, match="changes while it is read"):
            list(entries(engine, -1, 10))


def test_an_index_that_names_another_place_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append_many([EVENT] * 9)
    with open_log(str(path)) as engine:
        index: sqlite3.Connection = engine.store._opened  # type: ignore[attr-defined]
        index.execute("UPDATE entries SET place = place + 7 WHERE seq = 4")
        assert [entry.seq for entry in entries(engine, 3, 10)] == list(range(4, 10))


def test_entries_that_are_not_in_order_are_no_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append_many([EVENT] * 3)
    with open_log(str(path)) as engine:
        stream = engine.store.stream

        def twice(after: int) -> Any:
            return (one for one in stream(after) for _ in range(2))

        engine.store.stream = twice  # type: ignore[method-assign]
        with pytest.raises(BrokenLog, match="entry 0 comes after entry 0"):
            list(entries(engine, -1, 10))


DEEP = b'{"context":{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"


@pytest.mark.parametrize("body", [DEEP, b"[7]", b"{}", b'{"seq":"1"}', b"\xff"])
def test_what_no_log_of_ours_holds_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="entry"):
        parsed(body, "")
