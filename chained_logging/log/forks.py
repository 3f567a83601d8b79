"""All open logs of this process: what a fork and the interpreter's exit do with them.

A fork copies locks in their present state, including those in SQLite's C code, but not the threads
that hold them. So no thread may be in an append during a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from typing import Any, Protocol

from chained_logging.errors import FAILURES
from chained_logging.log.state import State


class OpenLog(Protocol):
    """A log as its front shows itself to the exit."""

    def rest(self) -> None:
        """Close until the next event."""


exiting = False
"""Whether the interpreter is at its exit, where no thread can be started any more."""

_open: weakref.WeakKeyDictionary[OpenLog, State] = weakref.WeakKeyDictionary()
_forking: list[tuple[OpenLog, State]] = []
_logging_lock: Any = getattr(logging, "_lock", None) or threading.RLock()  # a child gets a new one


def register(log: OpenLog, state: State) -> None:
    """Tend a log at forks and at the exit, as long as somebody else refers to it."""
    _open[log] = state


def _before_fork() -> None:
    # logging closes its handlers, and so us, under a lock of its own, which its own fork hook takes
    # only later: so take it here. A thread in an append may want it too (a signer that logs), so
    # unless all locks can be taken, all are given back.
    while not _take_all():
        time.sleep(0.001)
    for _, state in _forking:
        try:
            state.sink.before_fork()
        except FAILURES as error:
            state.last_error = f"before a fork: {error}"


def _take_all() -> bool:
    _logging_lock.acquire()
    for log, state in sorted(_open.items(), key=lambda item: id(item[0])):
        if not state.lock.acquire(timeout=0.05):
            for _, taken in _forking:
                taken.lock.release()
            _forking.clear()
            _logging_lock.release()
            return False
        _forking.append((log, state))
    return True


def _after_fork_in_parent() -> None:
    for _, state in reversed(_forking):
        state.sink.after_fork()
        state.lock.release()
    _forking.clear()
    _logging_lock.release()


def _after_fork_in_child() -> None:
    # Every open log: C code that forks may call this hook without _before_fork.
    for state in list(_open.values()):
        state.forked()
    _forking.clear()


def _close_all() -> None:
    global exiting
    exiting = True  # exit functions that were registered before this one run after it
    for log in list(_open):
        with contextlib.suppress(Exception):  # go on to the other logs
            log.rest()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
atexit.register(_close_all)
