"""The writer between threads: one of them at a time appends to the chain.

Threads that wait together are written together (:mod:`chained_logging.log.group_commit`). A signal
handler or a finaliser may log in the middle of an append of its own thread, and a call may find
that the log is closed, resting, or held by another process for too long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from chained_logging.errors import FAILURES, Busy
from chained_logging.event.draft import Draft
from chained_logging.event.entry import AuditEntry
from chained_logging.files.lock import PATIENCE
from chained_logging.format.record import Record
from chained_logging.log import forks
from chained_logging.log.backlog import Backlog
from chained_logging.log.chain import Chain
from chained_logging.log.group_commit import GroupCommit, SyncGate
from chained_logging.log.keeper import Keeper
from chained_logging.log.options import Options
from chained_logging.log.state import State
from chained_logging.sinks import Notice

_LOOP_PATIENCE: Final = 0.05
"""Seconds that a call on the thread of a running event loop waits at most."""


class Writer:
    """Stores events for all threads of a process.

    :param wake: opens a resting log again, or raises; called with the lock between threads held.
    """

    def __init__(
        self,
        state: State,
        options: Options,
        chain: Chain,
        backlog: Backlog,
        keeper: Keeper,
        wake: Callable[[Sequence[Draft]], None],
    ) -> None:
        self._state = state
        self._synced = options.synced
        self._timeout = options.timeout
        self._chain = chain
        self._backlog = backlog
        self._keeper = keeper
        self._wake = wake
        self.afresh()

    def afresh(self) -> None:
        """Create the queue of waiting threads, and the gate at which they wait for a sync."""
        self._written = 0  # counts appends; a caller waits until its own is synced
        self._gate = SyncGate(self._sync)
        self._group: GroupCommit[Sequence[Draft], list[Record]]
        if self._synced:
            self._group = GroupCommit(self._commit, gather=True)
        else:
            self._group = GroupCommit(self._commit, entered=self._state.lock)

    # --- Storing.

    def store(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries and write them, with the durability that was promised.

        :returns: their records. Nothing if this is a signal handler (or a finaliser) that Python
            runs in the middle of this thread's own append, which stores them at its end.
        :raises FAILURES: if they cannot be written. They are kept, as the options say.
        """
        state = self._state
        if os.getpid() != state.pid:
            state.forked()
        try:
            if not self._synced and not state.writing and self._group.leader is None:
                return self.write_out(drafts)  # as _store_now, without the call
            return self._store_now(drafts)
        except Busy as busy:
            return self._store_later(drafts, busy)

    def _store_now(self, drafts: Sequence[Draft]) -> list[Record]:
        writing = self._state.writing
        # The fast path. Not while a group has a leader, even if the log's lock is free: taking it
        # from a leader that is about to wake would make two threads wait for each other.
        if not self._synced and not writing and self._group.leader is None:
            return self.write_out(drafts)
        me = threading.get_ident()
        if me == writing or me == threading.main_thread().ident:
            return self._write_through(drafts)
        return self._group.submit(drafts)

    def _store_later(self, drafts: Sequence[Draft], busy: Busy) -> list[Record]:
        """Wait, holding no lock, until the log is free; keep the events if that takes too long."""
        state = self._state
        deadline = time.monotonic() + (0 if state.stalled else self.patience())
        pause = 0.001
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(2 * pause, PATIENCE)
            try:
                return self._store_now(drafts)
            except Busy as again:
                busy = again
        with state.lock:
            state.set_patience(stalled=True)
            self._backlog.keep(busy, drafts)
        raise busy

    def patience(self) -> float:
        """Return how many seconds this thread may wait."""
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None:
            return min(self._timeout, _LOOP_PATIENCE)
        return self._timeout

    def _write_through(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries, and hand them to the kernel or bring them onto the disk, as promised."""
        records = self.write_out(drafts)
        if self._synced:
            self._gate.wait(self._written)
        return records

    def write_out(self, drafts: Sequence[Draft]) -> list[Record]:
        """Chain entries and hand them to the kernel.

        :raises Busy: if others hold the log. The events are the caller's to keep.
        :raises FAILURES: if they cannot be written. They are kept, as the options say.
        """
        state, backlog = self._state, self._backlog
        with state.lock:
            if state.closed:
                self._wake(drafts)
            if state.writing:
                backlog.defer(drafts)
                return []
            # Even if this write fails, as the thread retries it. But not at exit: a thread that is
            # started then may never run, and start() would wait for it.
            if not (self._keeper.started or forks.exiting):
                self._keeper.start()
            state.writing = threading.get_ident()
            try:
                records = self._chain.append(drafts)
                if backlog.deferred.drafts or backlog.spilled:  # logged in the middle of this
                    backlog.chain_all_deferred(self._chain.append, self._chain.is_due)
            except BaseException:  # perhaps from a signal handler that logged in the middle
                if backlog.deferred.drafts or backlog.spilled:
                    with contextlib.suppress(*FAILURES):
                        backlog.chain_deferred(self._chain.append)
                raise
            finally:
                state.writing = 0
            if records:
                state.seq = records[-1].seq
            self._written += 1
        return records

    # --- For several threads at once.

    def _commit(self, calls: Sequence[Sequence[Draft]]) -> list[list[Record] | BaseException]:
        """Store for several threads in one write; return what each one gets or must raise."""
        since = self._state.seq + 1
        try:
            records = iter(self._write_through([entry for drafts in calls for entry in drafts]))
            return [list(islice(records, len(drafts))) for drafts in calls]
        except FAILURES as error:
            return [error] * len(calls)
        except BaseException as error:
            # A signer failed for one of them, or this thread was interrupted, which concerns only
            # its own call, the first. So store each by itself, unless it is in the log already.
            if len(calls) == 1:
                return [error]
            outcomes: list[list[Record] | BaseException] = []
            if not isinstance(error, Exception):
                outcomes.append(error)
            return outcomes + [self._commit_again(c, since) for c in calls[len(outcomes) :]]

    def _commit_again(self, drafts: Sequence[Draft], since: int) -> list[Record] | BaseException:
        """Store what a write that was interrupted may have stored already, after `since`."""
        ids = {entry.id for entry in drafts}
        try:
            stored = self._state.sink.records(since)
            found = [r for r in stored if AuditEntry(r.body, r.hash).id in ids]
            if not found:
                return self._commit([drafts])[0]
            if self._synced:
                self._state.sink.sync()
            return found
        except FAILURES as error:
            return error

    # --- Durability.

    def flush(self) -> None:
        """Bring everything written so far onto the disk.

        :raises FAILURES: if the disk refuses.
        """
        self._gate.wait(self._written)

    def _sync(self) -> int:
        """Sync everything written so far, and return how many appends that is."""
        state = self._state
        reached, seq = self._written, state.seq
        try:
            state.sink.sync()
        except FAILURES as error:
            state.last_error = f"a sync failed: {error}"
            cause = f"a sync failed, and entries before this one may not be on the disk: {error}"
            state.sink.notices.append(Notice("log.recover", {"cause": cause}))
            raise
        state.counts["syncs"] += 1
        state.file_lock.note_synced(seq)
        return reached
