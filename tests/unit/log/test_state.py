"""What the parts share: one lock after the other, one report of a problem."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from log_parts import state_of

from chained_logging.errors import Busy, LogError
from chained_logging.files.lock import PATIENCE, FileLock
from chained_logging.log import state as module


class Part:
    def __init__(self) -> None:
        self.times = 0

    def afresh(self) -> None:
        self.times += 1


def test_both_locks_are_held_and_released(path: Path) -> None:
    with state_of(path) as state:
        other = FileLock(state.file_lock.path)
        with state.held():
            assert state.writing == threading.get_ident()
            assert not other.try_acquire()
        assert state.writing == 0
        assert other.try_acquire()
        other.close()


def test_they_are_released_after_a_failure(path: Path) -> None:
    with state_of(path) as state:
        with pytest.raises(ZeroDivisionError), state.held():
            raise ZeroDivisionError
        with state.held():
            pass


def test_a_thread_that_is_writing_does_not_wait_for_itself(path: Path) -> None:
    with (
        state_of(path) as state,
        state.held(),
        pytest.raises(LogError, match="in the middle of an append"),
        state.held(),
    ):
        pass


def test_waiting_for_another_process_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENING_PATIENCE", 0.05)
    with state_of(path) as state:
        state.file_lock.patience = 0.01
        other = FileLock(state.file_lock.path)
        other.acquire()
        with pytest.raises(Busy), state.held():
            pass
        other.close()
        with state.held():
            pass


def test_after_a_long_wait_nobody_waits_again(path: Path) -> None:
    with state_of(path) as state:
        state.set_patience(stalled=True)
        assert state.stalled
        assert state.file_lock.patience == state.sink.patience == 0
        state.set_patience(stalled=False)
        assert state.file_lock.patience == state.sink.patience == PATIENCE


def test_a_problem_is_reported_once_until_it_is_another(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with state_of(path) as state, caplog.at_level(logging.ERROR, "chained_logging"):
        for problem in ("a", "a", None, "a", "b"):
            state.tell(problem)
        assert [record.args[1] for record in caplog.records] == ["a", "b"]  # type: ignore[index]
        assert state.last_error == "b"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_fork_begins_afresh(path: Path) -> None:
    with state_of(path) as state:
        part = Part()
        state.parts = [part]
        state.notice_fork()
        assert part.times == 0
        state.counts["appended"] = 7
        state.lock.acquire()
        state.file_lock.acquire()
        state.pid = -1  # as a child sees its parent's
        state.notice_fork()
        assert part.times == 1
        assert state.counts["appended"] == 0
        assert not state.writing
        assert not state.file_lock.held
        assert FileLock(state.file_lock.path).try_acquire()  # the file was closed
        found = threading.Thread(target=state.lock.acquire, daemon=True)
        found.start()
        found.join(5)
        assert not found.is_alive()  # the lock is a new one, which nobody holds
