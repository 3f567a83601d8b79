"""What is new is verified at once, and everything in turn."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.format.stub import Stub
from chained_logging.review.opening import stored
from chained_logging.review.stores import CentralStores
from chained_logging.review.watch import places
from chained_logging.review.watch.memory import Memory
from chained_logging.review.watch.places import Place, looked_at
from chained_logging.sinks.lines import line_of
from chained_logging.verify import Stream


def append(path: Path, count: int, action: str = "read") -> None:
    with AuditLog(path, origin="example.com/audit") as log:
        for number in range(count):
            log.append(f"{action}-{number}", **EVENT)


@pytest.fixture
def log(path: Path) -> Path:
    append(path, 5)
    return path


def place(log: Path) -> Place:
    return Place(str(log), Memory(log))


def test_an_intact_log_is_remembered_with_its_head(log: Path) -> None:
    found = place(log)
    assert found.whole().ok
    assert found.verified is not None
    assert found.verified.seq == 5
    assert found.seconds > 0


def test_each_changed_byte_is_found(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append(log, 2)
    watched, data = place(log), log.read_bytes()
    assert watched.whole().ok
    for offset in range(0, len(data), 11):
        changed = bytearray(data)
        changed[offset] ^= 1
        log.write_bytes(changed)
        assert not watched.whole().ok, offset
    log.write_bytes(data)
    assert watched.whole().ok


def test_a_changed_row_is_found(tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    append(log, 5)
    watched = place(log)
    assert watched.whole().ok
    with sqlite3.connect(log) as database:
        database.execute("DROP TRIGGER entries_no_update")
        database.execute("UPDATE entries SET body = replace(body, 'read-2', 'read-9')")
    check = watched.whole()
    assert (check.ok, check.severity) == (False, "critical")
    assert "Tampered" in check.sentence


def test_what_is_new_is_verified_without_the_rest(log: Path) -> None:
    watched = place(log)
    watched.whole()
    assert watched.fresh() is None
    append(log, 3, "write")
    check = watched.fresh()
    assert check is not None
    assert (check.ok, check.value) == (True, 3)
    assert watched.fresh() is None


def test_new_entries_are_taken_in_portions(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = place(log)
    watched.whole()
    append(log, 3)
    body = list(stored(str(log)))[-1].body
    monkeypatch.setattr(places, "_AT_ONCE", len(body) + 1)
    found = [check and check.value for check in (watched.fresh() for _ in range(3))]
    assert found == [2, 1, None]


def test_a_new_entry_that_does_not_follow_is_found_at_once(tmp_path: Path) -> None:
    log, other = tmp_path / "audit.jsonl", tmp_path / "other.jsonl"
    append(log, 3)
    append(other, 5)
    watched = place(log)
    assert watched.whole().ok
    with log.open("ab") as file:
        file.write(other.read_bytes().splitlines(keepends=True)[4])
    check = watched.fresh()
    assert check is not None
    assert not check.ok
    assert watched.broken == check


def test_a_log_that_was_rewritten_whole_is_found_even_after_a_restart(
    log: Path, tmp_path: Path
) -> None:
    assert place(log).whole().ok
    forged = tmp_path / f"forged{log.suffix}"
    append(forged, 9, "forged")
    shutil.move(forged, log)
    check = place(log).whole()
    assert not check.ok
    assert "its end was cut off, or it was rewritten" in check.sentence


def test_an_end_that_was_cut_off_is_found(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append(log, 5)
    assert place(log).whole().ok
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    assert not place(log).whole().ok


def test_a_log_that_is_not_there_is_not_called_tampered(tmp_path: Path) -> None:
    check = looked_at(place(tmp_path / "gone.jsonl"), whole=True)
    assert check is not None
    assert check.ok is None


def test_a_store_that_cannot_be_reached_is_not_called_tampered() -> None:
    store = Place("postgresql://nobody:hunter2@127.0.0.1:1/audit", Memory(None))
    check = looked_at(store, whole=True)
    assert check is not None
    assert check.ok is None
    assert "hunter2" not in check.sentence + store.name


@pytest.mark.parametrize("archived", [True, False])
def test_what_a_store_says_is_in_an_archive_raises_no_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: bool
) -> None:
    with AuditLog(tmp_path / "audit.db") as log:
        log.append_many([{"action": "read", **EVENT}] * 3)
        items = list(log.records())
    lines = [line_of(Stub(1, one.hash) if one.seq == 1 else one) for one in items]
    elsewhere = [(1, 1, "/archive")] * archived
    stream = Stream("db", lines, (), elsewhere)
    monkeypatch.setattr(CentralStores, "streams", lambda *_: iter([(stream, ())]))
    found = Place("postgresql://h/db", Memory(None)).whole()
    assert found.ok is archived
    assert ("1 entries up to 1 are in the archive /archive" in found.sentence) is archived
