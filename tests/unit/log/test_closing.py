"""Closing writes what waits, signs it, and lets the next writer in; what it cannot, it reports."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions, events
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.diagnostics import AuditWarning
from chained_logging.errors import LogClosed
from chained_logging.files.lock import FileLock
from chained_logging.log.writers import SignsOtherwise
from chained_logging.sinks import open_sink

FULL = OSError(errno.ENOSPC, "the disk is full")


def stored(path: Path) -> list[str]:
    sink = open_sink(path)
    found = actions(sink.records())
    sink.close()
    return found


def test_closing_twice_is_closing_once(path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN)
    log.append("a", **EVENT)
    log.close()
    log.close()
    assert log._parts.state.closed
    with pytest.raises(LogClosed):
        log.append("b", **EVENT)
    assert stored(path) == ["log.open", "a"]


def test_what_waits_comes_into_the_log(path: Path, tmp_path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN, spill=tmp_path / "b.spill")
    log._parts.backlog.keep(FULL, events("waited"))
    log.close()
    assert stored(path) == ["log.open", "waited"]
    assert not (tmp_path / "b.spill").exists()


@pytest.mark.parametrize("somewhere", [True, False])
def test_what_still_waits_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    somewhere: bool,
) -> None:
    folder = tmp_path / "gone"
    if somewhere:
        folder.mkdir()
    log = AuditLog(tmp_path / "audit.jsonl", origin=ORIGIN, spill=folder / "b.spill")
    log._parts.backlog.keep(FULL, events("waited"))

    def full(records: object) -> None:
        raise FULL

    monkeypatch.setattr(log._parts.state.sink, "write", full)
    with pytest.warns(AuditWarning, match="wait in" if somewhere else "never written"):
        log.close()
    (record,) = [r for r in caplog.records if r.name == "chained_logging"]
    assert record.levelno == (logging.WARNING if somewhere else logging.ERROR)


def test_the_last_entries_are_signed(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN, key=Key()) as log:
        log.append("a", **EVENT)
    sink = open_sink(path)
    assert [one.size for _, one in sink.checkpoints()] == [2]
    sink.close()


def test_a_signer_that_fails_does_not_keep_the_log_open(path: Path) -> None:
    key = Key()
    log = AuditLog(path, origin=ORIGIN, key=key)
    log.append("a", **EVENT)

    def fail(data: bytes) -> bytes:
        raise RuntimeError("the HSM is away")

    key.sign = fail  # type: ignore[method-assign]
    with pytest.warns(AuditWarning, match="no checkpoint at close: the HSM is away"):
        log.close()
    assert log._parts.state.closed


def test_the_next_writer_finds_the_locks_free_and_the_end_noted(path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN)
    entry = log.append("a", **EVENT)
    log.close()
    lock = FileLock(path.with_name(path.name + ".lock"))
    assert lock.try_acquire()
    remembered = lock.recall()
    assert remembered is not None
    assert remembered.head == (1, entry.hash)
    lock.close()


def test_an_entry_of_the_logs_own_is_noted_too(path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN, key=Key())
    log.rotate_key(Key())
    log.close()
    lock = FileLock(path.with_name(path.name + ".lock"))
    lock.acquire()
    remembered = lock.recall()
    lock.close()
    assert remembered is not None
    assert remembered.head.seq == 1


def test_writers_that_sign_another_way_are_let_in(path: Path) -> None:
    key = Key()
    log = AuditLog(path, origin=ORIGIN, key=key)
    with pytest.raises(SignsOtherwise):
        AuditLog(path, key=key, sign="each")
    log.close()
    AuditLog(path, key=key, sign="each").close()
