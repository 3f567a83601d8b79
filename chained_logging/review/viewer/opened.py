"""The log that is viewed: one engine, which requests use one after another, and the verdict."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging.errors import ChainedLoggingError
from chained_logging.format.proof import TlogProof
from chained_logging.review.opening import is_url, named, open_log
from chained_logging.review.query import Engine
from chained_logging.review.verdict import Evidence, Verdict, judge
from chained_logging.review.viewer.access import Access, NarrowedEngine
from chained_logging.review.viewer.counting import Counting
from chained_logging.review.viewer.overviews import Overviews
from chained_logging.review.viewer.tallies import Tallies
from chained_logging.transparency.proof import LogTree

WAIT: Final = 10.0
"""Seconds that a request waits for others."""
PATIENCE: Final = 0.25
"""Seconds that a page waits for the verdict. A large log's first page says that it is checked."""
_SHARE: Final = 20  # a log that grows is checked for at most a twentieth of the time
_DERIVED: Final = re.compile(r"\.index|\.lock$|-shm$")  # what readers change, too
_REMOTE: Final = 60.0  # seconds between two looks at a store, which does not say that it grew


class InUse(ChainedLoggingError):
    """Others ask the log, and it takes too long to wait for them."""


class Checked(NamedTuple):
    """A verdict, and when it was reached, in seconds since 1970."""

    verdict: Verdict
    at: float


class Verdicts:
    """Checks a log in the background, again when it changed.

    :param check: makes the verdict.
    :param state: returns something else once the log changed.
    """

    def __init__(self, check: Callable[[], Verdict], state: Callable[[], object]) -> None:
        self._check, self._state = check, state
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._began = 0.0
        self._last: Checked | None = None
        self._seen: object = None
        self._rests = 0.0  # until when the next check waits

    def current(self, patience: float | None = None) -> Checked | None:
        """Return the newest verdict; None while the first one is not reached.

        :param patience: how many seconds to wait for one that takes in the newest change;
            None for :data:`PATIENCE`.
        """
        with self._lock:
            if self._running is None and self._is_due():
                self._running = threading.Thread(target=self._run, daemon=True)
                self._began = time.monotonic()
                self._running.start()
            running, began = self._running, self._began
        if running is not None:  # a check that takes long is not waited for again and again
            patience = PATIENCE if patience is None else patience
            running.join(max(0.0, began + patience - time.monotonic()))
        return self._last

    def _is_due(self) -> bool:
        return time.monotonic() >= self._rests and (
            self._last is None or self._state() != self._seen
        )

    def _run(self) -> None:
        seen, began = self._state(), time.monotonic()
        try:
            verdict = self._check()
        except Exception as problem:  # without a verdict, the one before would stay
            verdict = Verdict("unchecked", f"Not checked: {problem}")
        with self._lock:
            self._last, self._seen = Checked(verdict, time.time()), seen
            self._rests = time.monotonic() + _SHARE * (time.monotonic() - began)
            self._running = None


class OpenedLog:
    """A log, as requests use it.

    :param where: a path, or the URL of a central store.
    :param origin: the name of the log, where a store holds several.
    :param evidence: what to check it with.
    :ivar verdicts: whether it is as it was written.
    :ivar tallies: how many entries filters find.
    :ivar overviews: what its periods hold.
    """

    def __init__(
        self, where: str, *, origin: str | None = None, evidence: Evidence | None = None
    ) -> None:
        self.where = where
        self.origin = origin
        self.verdicts = Verdicts(lambda: judge(where, origin=origin, evidence=evidence), self.state)
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._tree: tuple[object, LogTree] | None = None
        counting = Counting(self._open)
        self.tallies = Tallies(counting)
        self.overviews = Overviews(counting)

    @property
    def is_remote(self) -> bool:
        """Whether the log is in a central store."""
        return is_url(self.where)

    @property
    def name(self) -> str:
        """The log's name for people: that of its file, or the store without its password."""
        return named(self.where)

    def state(self) -> object:
        """Return something that differs once the log changed."""
        if self.is_remote:
            return time.monotonic() // _REMOTE
        path = Path(self.where)
        found: list[tuple[str, int, int]] = []
        for name in sorted(os.listdir(path.parent)):
            if name.startswith(path.stem) and not _DERIVED.search(name, len(path.stem)):
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(path.with_name(name))
                    found.append((name, about.st_size, about.st_mtime_ns))
        return found

    @contextlib.contextmanager
    def engine(self, access: Access) -> Iterator[NarrowedEngine]:
        """Hold the engine, which knows what was appended until now, for what somebody may see.

        :raises InUse: if others hold it for too long.
        :raises OSError: if the log cannot be read; also LogError.
        :raises ValueError: if what is in it is not entries.
        """
        if not self._lock.acquire(timeout=WAIT):
            raise InUse("others ask the log, and it takes too long: try again")
        try:
            if self._engine is None:
                self._engine = self._open()
                weakref.finalize(self, self._engine.close)
            else:
                self._engine.store.refresh()
            yield NarrowedEngine(self._engine.store, access)
        finally:
            self._lock.release()

    def _open(self) -> Engine:
        return open_log(self.where, origin=self.origin, indexed=True)

    def prepare(self) -> None:
        """Open the log before the first request. A large log's index is made then.

        :raises: as :meth:`engine`.
        """
        with self.engine(Access("nobody")):
            pass

    def proof(self, seq: int) -> TlogProof:
        """Return the proof that an entry is in the log as its newest checkpoint has it.

        :raises NoCheckpoint: if there is no checkpoint.
        :raises ValueError: if it does not cover the entry, or the log is broken; also OSError.
        """
        with self._lock:
            state = self.state()
            if self._tree is None or self._tree[0] != state:
                self._tree = (state, LogTree(Path(self.where)))
            return self._tree[1].inclusion(seq)

    def close(self) -> None:
        """Close the log. It is opened again by the next request."""
        with self._lock:
            engine, self._engine, self._tree = self._engine, None, None
            if engine is not None:
                engine.close()
