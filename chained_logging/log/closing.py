"""Closing a log: for good, or for the time until the next event."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from chained_logging.diagnostics import report, warn
from chained_logging.errors import FAILURES, Busy, Failure
from chained_logging.log.backlog import Backlog
from chained_logging.log.chain import Chain
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.keeper import Keeper
from chained_logging.log.membership import Membership
from chained_logging.log.recovery import Recovery
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.log.writer import Writer

_Told = list[tuple[int, str]]
"""What the program is told, each with its level."""


class Closing:
    """Chains what waits, signs, syncs, and lets go of the files."""

    def __init__(
        self,
        state: State,
        signing: Signing,
        checkpoints: Checkpoints,
        membership: Membership,
        recovery: Recovery,
        chain: Chain,
        backlog: Backlog,
        writer: Writer,
        keeper: Keeper,
    ) -> None:
        self._state = state
        self._signing = signing
        self._checkpoints = checkpoints
        self._membership = membership
        self._recovery = recovery
        self._chain = chain
        self._backlog = backlog
        self._writer = writer
        self._keeper = keeper

    def close(self, *, resting: bool = False, release: bool = True) -> None:
        """Close the log. Closing twice does nothing.

        :param resting: whether the next event may open it again.
        :param release: whether its files are closed too.
        :raises FAILURES: if the disk refuses to sync.
        """
        state = self._state
        state.notice_fork()
        # In the keeper's order: it may be about to sign a sealed segment.
        with self._checkpoints.lock, state.lock:
            if state.closed:
                return
            # A signal handler may close the log in the middle of an append of this very thread.
            nested = state.writing == threading.get_ident()
            self._backlog.spilled = self._backlog.spilled or self._backlog.look()
            told = [] if nested else [*self._write_last(), *self._sign_last()]
            if release:
                state.closed, state.resting = True, resting
        for level, text in told:
            warn(f"audit log: {text}", stacklevel=4)
            report(level, f"audit log {state.path}: {text}")
        self._keeper.stop()
        with state.lock:
            try:
                state.released = release
                self._writer.flush()
                with contextlib.suppress(*FAILURES):  # else the lock file lacks the last head
                    self._recovery.note_end(state.origin)
            finally:
                if release:
                    state.sink.close()
                    self._membership.leave()
                    state.file_lock.close()

    def _write_last(self) -> _Told:
        """Chain the backlog; if that fails, return what to report."""
        state, backlog = self._state, self._backlog
        state.writing = threading.get_ident()
        try:
            error = self._chain_until(time.monotonic() + self._writer.patience())
        finally:
            state.writing = 0
        if error is None:
            return []
        told = [
            (logging.WARNING, f"events wait in {spill.path}: {error}")
            for spill in backlog.spills
            if spill.exists()
        ]
        if backlog.waiting:
            lost = f"{len(backlog.waiting)} events were never written: {error}"
            told.append((logging.ERROR, lost))
        return told

    def _chain_until(self, deadline: float) -> Failure | None:
        """Chain the backlog; return the error if that fails."""
        backlog = self._backlog
        while True:
            try:
                backlog.chain_deferred(self._chain.append)
                if not self._chain.is_due():
                    return None
            except Busy as busy:
                if time.monotonic() < deadline and not self._state.stalled:
                    time.sleep(0.001)
                    continue
                backlog.keep_deferred(busy)
                return busy
            except FAILURES as error:
                return error

    def _sign_last(self) -> _Told:
        if self._signing.key is not None:
            try:
                self._checkpoints.make()
            except Exception as error:  # a signer of the user's may raise anything
                return [(logging.WARNING, f"no checkpoint at close: {error}")]
        return []
