"""What the parts of an open log share: the store, the locks, and what happened so far."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from chained_logging.errors import Busy, LogError
from chained_logging.files.lock import PATIENCE, FileLock
from chained_logging.format.record import Head
from chained_logging.sinks import Notice, Sink

OPENING_PATIENCE: Final = 30.0
"""Seconds to wait for a log that is to be opened or signed."""

COUNTERS: Final = ("dropped", "appended", "incomplete", "failed", "spilled", "syncs")

_logger = logging.getLogger("chained_logging")


class Part(Protocol):
    """A part of a log, with state that a forked child must not share with its parent."""

    def afresh(self) -> None:
        """Create that state, in the constructor and in a forked child, which has no threads."""


class State:
    """The state that the parts of a log share.

    :ivar path: the log's real path.
    :ivar sink: the store. Only the holder of both locks writes to it.
    :ivar file_lock: the lock between processes. It is taken after the one between threads.
    :ivar lock: the lock between threads. It is reentrant, because a signal handler may log in the
        middle of an append of its own thread.
    :ivar writing: the id of the thread that is writing, or 0.
    :ivar origin: the log's name; empty until the log is open.
    :ivar seq: the last entry that was found when opening, or written here since.
    :ivar counts: the counters of :meth:`chained_logging.AuditLog.stats`.
    :ivar stalled: whether somebody held the log for longer than a call may wait.
    :ivar last_error: the last problem, as a sentence.
    :ivar closed: whether nothing can be appended.
    :ivar resting: whether it is closed for now: the next event opens it again.
    :ivar released: whether its files are closed too.
    :ivar parts: all that has to begin afresh in a forked child.
    """

    def __init__(self, path: Path, sink: Sink) -> None:
        self.path: Final = path
        self.sink: Final = sink
        self.file_lock: Final = FileLock(path.with_name(path.name + ".lock"))
        self.origin = ""
        self.seq = -1
        self.last_error: str | None = None
        self.closed = True
        self.resting = False
        self.released = False
        self.parts: Sequence[Part] = ()
        self._told = ""
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.pid = os.getpid()
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.lock = threading.RLock()
        self.writing = 0
        self.stalled = False

    def notice_fork(self) -> None:
        """Begin afresh in a child of a fork that Python was not told of, such as uWSGI's."""
        if os.getpid() != self.pid:
            self.forked()

    def forked(self) -> None:
        """Begin afresh in a forked child, which has neither the parent's threads nor its locks."""
        self._start_afresh()
        for part in self.parts:
            part.afresh()
        self.sink.forked()
        self.file_lock.close()

    def set_patience(self, *, stalled: bool) -> None:
        """Set how long to poll for the log: not at all after somebody held it for too long."""
        self.stalled = stalled
        self.file_lock.patience = self.sink.patience = 0 if stalled else PATIENCE

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock between threads and that between processes.

        :raises Busy: if another process holds the log for too long.
        :raises LogError: in the middle of an append of this very thread.
        """
        deadline = time.monotonic() + OPENING_PATIENCE
        while True:
            with self.lock:
                if self.writing:
                    raise LogError("the log is busy in the middle of an append of this very thread")
                self.writing = threading.get_ident()
                try:
                    if self._taken_until(deadline):
                        yield
                        return
                finally:
                    self.file_lock.release()
                    self.writing = 0
            time.sleep(0.001)  # others may come in between

    def _taken_until(self, deadline: float) -> bool:
        try:
            self.file_lock.acquire()
        except Busy:
            if time.monotonic() > deadline:
                raise
            return False
        return True

    def head(self) -> Head:
        """Return the last entry's ``seq`` and hash. Call it with the lock held.

        What other processes noted in the lock file is compared with what the sink found: the file
        may have been cut, and be exactly as long as it was by now. No ``seq`` is given twice.

        :raises FAILURES: as :meth:`chained_logging.sinks.Sink.head`.
        """
        head = self.sink.head()
        memory = self.file_lock.recall() if self.file_lock.others_wrote else None
        if memory is None or memory.head.seq <= head.seq:
            return head
        if not self.sink.notices:
            head = self.sink.reread()
        if memory.head.seq > head.seq:
            if not self.sink.notices:
                self.sink.notices.append(lost(memory.head, head))
            head = memory.head
            self.sink.resume(head)
        return head

    def tell(self, problem: str | None) -> None:
        """Note a problem, and report it once in the program's own logging."""
        if problem is None:
            return
        self.last_error = problem
        if problem != self._told:
            self._told = problem
            _logger.error("audit log %s: %s", self.path, problem)


def lost(noted: Head, found: Head, cause: str = "") -> Notice:
    """Return the notice about entries that had been written, and are gone."""
    cause = cause or f"entry {noted.seq} had been written, and the file ends at {found.seq}"
    return Notice("log.recover", {"cause": cause, "lost": noted.seq - found.seq})
