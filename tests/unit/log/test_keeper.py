"""The threads of an open log: they do their rounds, and end with the log."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import state_of

from chained_logging import AuditLog
from chained_logging.log.keeper import Keeper
from chained_logging.log.signing import Signing


class Log:
    """A log that counts its rounds."""

    def __init__(self) -> None:
        self.rounds = 0
        self.twice = threading.Event()

    def _tend(self) -> None:
        self.rounds += 1
        if self.rounds == 2:
            self.twice.set()


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_rounds_until_it_is_stopped(path: Path) -> None:
    log = Log()
    with state_of(path) as state:
        keeper = Keeper(weakref.ref(log), 0.01, (), Signing(state, None, each=False))  # type: ignore[arg-type]
        keeper.start()
        assert keeper.started
        assert log.twice.wait(10)
        keeper.stop()
        rounds = log.rounds
        time.sleep(0.05)
        assert log.rounds == rounds


def test_the_thread_keeps_no_log_alive_and_ends_with_it(path: Path) -> None:
    log = Log()
    with state_of(path) as state:
        keeper = Keeper(weakref.ref(log), 0.01, (), Signing(state, None, each=False))  # type: ignore[arg-type]
        keeper.start()
        thread, reference = keeper._thread, weakref.ref(log)
        assert thread is not None
        assert log.twice.wait(10)
        del log
        assert until(lambda: gc.collect() >= 0 and reference() is None)
        thread.join(10)
        assert not thread.is_alive()


def test_without_a_thread_at_the_interpreters_exit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    log = Log()
    with state_of(path) as state:
        keeper = Keeper(weakref.ref(log), 0.01, (), Signing(state, None, each=False))  # type: ignore[arg-type]
        monkeypatch.setattr(threading.Thread, "start", refuse)
        keeper.start()
        assert not keeper.started
        keeper.stop()  # of nothing


def test_the_first_event_starts_it(path: Path) -> None:
    with AuditLog(path, sync_interval=60) as log:
        assert not log._parts.keeper.started
        log.append("a", **EVENT)
        assert log._parts.keeper.started


def test_an_interrupt_while_the_thread_starts_leaves_it_to_the_next_append(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    with AuditLog(path) as log:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", interrupted)
            with pytest.raises(KeyboardInterrupt):
                log.append("read", **EVENT)
        assert not log._parts.keeper.started
        log.append("write", **EVENT)
        assert log._parts.keeper.started
    assert "write" in [entry.action for entry in AuditLog(path).entries()]
