"""A round of upkeep does what is due, and raises nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions, events
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.files.lock import FileLock
from chained_logging.log.upkeep import Upkeep


@pytest.fixture
def log(path: Path, tmp_path: Path) -> Iterator[AuditLog]:
    spill = tmp_path / "b.spill"
    with AuditLog(path, origin=ORIGIN, sync_interval=60, heartbeat=30, spill=spill) as log:
        yield log


def upkeep_of(log: AuditLog) -> Upkeep:
    return log._parts.upkeep


def stored(log: AuditLog) -> list[str]:
    return actions(log._parts.state.sink.records())


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + seconds)


def test_it_syncs_what_was_written(log: AuditLog) -> None:
    log.append("a", **EVENT)
    assert log.stats()["syncs"] == 0
    assert upkeep_of(log).tend()
    assert log.stats()["syncs"] == 1
    log._parts.state.file_lock.acquire()
    remembered = log._parts.state.file_lock.recall()
    log._parts.state.file_lock.release()
    assert remembered is not None
    assert remembered.synced == 1


def test_it_chains_what_another_process_left(log: AuditLog) -> None:
    log._parts.backlog.spills[0].add(events("left"))
    assert upkeep_of(log).tend()
    assert stored(log) == ["log.open", "left"]


def test_silence_is_broken_by_a_heartbeat(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append("a", **EVENT)
    upkeep_of(log).tend()
    later(monkeypatch, 20)
    upkeep_of(log).tend()
    assert stored(log) == ["log.open", "a"]
    later(monkeypatch, 31)
    upkeep_of(log).tend()
    assert stored(log) == ["log.open", "a", "log.heartbeat"]
    assert log.stats()["appended"] == 1  # the caller's


def test_an_entry_puts_the_heartbeat_off(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    upkeep_of(log).tend()
    later(monkeypatch, 31)
    log.append("a", **EVENT)
    upkeep_of(log).tend()
    assert stored(log) == ["log.open", "a"]


def test_a_busy_log_is_left_to_the_next_round(log: AuditLog) -> None:
    other = FileLock(log._parts.state.file_lock.path)
    other.acquire()
    assert not upkeep_of(log).tend()
    other.close()
    assert upkeep_of(log).tend()


def test_what_fails_is_noted_and_nothing_is_raised(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("something odd")

    log.append("a", **EVENT)
    with monkeypatch.context() as patch:
        patch.setattr(log._parts.state.sink, "tend", fail)
        assert not upkeep_of(log).tend()
    assert log.stats()["last_error"] == "something odd"
    assert upkeep_of(log).tend()


def test_checkpoints_that_are_due_are_made(path: Path) -> None:
    with AuditLog(path, key=Key(), sync_interval=60, checkpoint_every=2) as log:
        log.append("a", **EVENT)
        assert upkeep_of(log).tend()
        assert [one.size for one in log._parts.checkpoints.stored()] == [2]


def test_a_closed_log_needs_none(path: Path) -> None:
    log = AuditLog(path)
    log.close()
    upkeep_of(log).tend()
    assert not FileLock(log._parts.state.file_lock.path).held
