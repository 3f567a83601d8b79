"""A fork leaves both sides with a log that works, and no lock of the other side."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.log import forks
from chained_logging.sinks import open_sink

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def stored(path: Path) -> list[str]:
    sink = open_sink(path)
    found = actions(sink.records())
    sink.close()
    return found


def test_both_sides_go_on_with_one_chain(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("before", **EVENT)
        if not (child := os.fork()):
            try:
                os._exit(0 if log.append("child", **EVENT).seq == 2 else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert log.append("parent", **EVENT).seq == 3
    assert stored(path) == ["log.open", "before", "child", "parent"]


def test_a_child_counts_for_itself(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("before", **EVENT)
        if not (child := os.fork()):
            try:
                log.append("child", **EVENT)
                os._exit(0 if log.stats()["appended"] == 1 else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert log.stats()["appended"] == 1


def test_no_lock_is_held_after_a_fork(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        forks._before_fork()
        assert forks._forking
        forks._after_fork_in_parent()
        assert not forks._forking
        log.append("a", **EVENT)


def test_a_fork_waits_for_an_append_of_another_thread(path: Path) -> None:
    """While it waits it holds nothing, or that append may wait for it."""
    with AuditLog(path, origin=ORIGIN) as log:
        entered, leave = threading.Event(), threading.Event()

        def append() -> None:
            with log._parts.state.lock:
                entered.set()
                leave.wait(10)

        thread = threading.Thread(target=append)
        thread.start()
        assert entered.wait(10)
        assert not forks._take_all()
        assert not forks._forking
        found: list[bool] = []

        def log_something() -> None:
            found.append(forks._logging_lock.acquire(timeout=5))
            forks._logging_lock.release()

        other = threading.Thread(target=log_something)
        other.start()
        other.join(10)
        assert found == [True]
        leave.set()
        thread.join(10)


class Broken:
    """A log that fails at the exit."""

    def rest(self) -> None:
        raise OSError("the disk failed")


def test_at_exit_each_log_rests_whatever_another_one_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(path, origin=ORIGIN)
    log.append("a", **EVENT)
    monkeypatch.setattr(forks, "_open", {Broken(): None, log: None})
    monkeypatch.setattr(forks, "exiting", False)
    forks._close_all()
    assert forks.exiting
    assert log.stats()["syncs"] == 1
    log.append("b", **EVENT)  # exit functions that run later may log too
    assert stored(path) == ["log.open", "a", "b"]
    log.close()
