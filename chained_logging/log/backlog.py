"""The backlog: events that could not be written yet, in the spill files or in memory.

Three things come here: events that met an error, events that waited too long for the log, and what
a signal handler (or a finaliser) logs in the middle of an append of its own thread. They go into
the first spill file that takes them, and into memory if none does. The next append chains them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from chained_logging.errors import FAILURES, Busy, Failure
from chained_logging.event.draft import Draft
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import GENESIS, leaf_hash, position
from chained_logging.format.record import Head, Record
from chained_logging.log.memory import Memory
from chained_logging.log.options import Options
from chained_logging.log.spill import Spill, spills_of
from chained_logging.log.state import State
from chained_logging.sinks import Notice

BATCH: Final = 100
"""How many events are chained in one write."""

MEMORY_LIMIT = 10_000
"""How many events wait in memory. Further ones are lost, and counted as dropped."""

Write = Callable[[Sequence[Draft], Head], Sequence[Record]]
"""Chains events to a head and hands them to the store."""


class Backlog:
    """Keeps events, and chains them later. Its caller holds the lock between threads.

    :param spill: the only spill file; by default those of :func:`spills_of`.
    :ivar spills: the spill files, in the order in which they are tried.
    :ivar waiting: what neither the log nor a spill file could take.
    :ivar deferred: what was logged in the middle of an append, and no spill file took.
    :ivar spilled: whether something may wait in a spill file.
    """

    def __init__(self, state: State, options: Options, spill: str | os.PathLike[str] | None):
        self._state = state
        self._options = options
        path = state.path
        self.spills = [Spill(Path(os.path.abspath(spill)))] if spill else spills_of(path)
        self.afresh()

    def afresh(self) -> None:
        """Forget what is in memory, which is the parent's in a forked child."""
        self.waiting = Memory(self._state)
        self.deferred = Memory(self._state)
        self.spilled = True
        self._hasty = False  # what is in the spill file is as safe as what is in the log

    def look(self) -> bool:
        """Whether events wait in a spill file, perhaps those of another process."""
        # All are asked, because each notes whether it was refused.
        return any([spill.exists() for spill in self.spills])

    def look_for_others(self) -> None:
        """Notice what other processes, or earlier ones, left in the spill files."""
        if self.look():
            self.spilled, self._hasty = True, False

    def refused(self) -> str | None:
        """Return why an existing spill file is not used; None if there is no such file."""
        return next((spill.refused for spill in self.spills if spill.refused), None)

    # --- Keeping.

    def keep(self, error: Failure, drafts: Sequence[Draft]) -> None:
        """Note a failure and, unless the caller gets to see it, keep the events for later."""
        counts = self._state.counts
        counts["failed"] += len(drafts)
        self._state.last_error = str(error)
        # The log's entries about itself are never kept: their caller sees the error, and a spill
        # file must hold none in the log's name.
        drafts = [entry for entry in drafts if entry.fields["actor_id"] != OURSELVES]
        if self._options.on_failure == "raise" or not (drafts or self.waiting):
            return
        # An event that only has to wait its turn is kept as durably as the log would keep it.
        sync = self._options.synced or not isinstance(error, Busy)
        waiting = self.waiting.drafts
        self.waiting.begin()
        try:
            self._spill([*waiting, *drafts], sync=sync)
        except FAILURES:
            waiting += drafts
            counts["dropped"] += len(waiting[MEMORY_LIMIT:])
            del waiting[MEMORY_LIMIT:]
        else:
            counts["spilled"] += len(waiting) + len(drafts)
            self.waiting.remove(len(waiting))

    def _spill(self, drafts: Sequence[Draft], *, sync: bool) -> None:
        """Put events into the first spill file that takes them.

        :raises FAILURES: if none does.
        """
        *others, last = self.spills
        for spill in others:
            with contextlib.suppress(*FAILURES):
                return self._spill_into(spill, drafts, sync=sync)
        return self._spill_into(last, drafts, sync=sync)

    def _spill_into(self, spill: Spill, drafts: Sequence[Draft], *, sync: bool) -> None:
        if drafts:
            spill.add(drafts, sync=sync)
            self.spilled, self._hasty = True, False

    def defer(self, drafts: Sequence[Draft]) -> None:
        """Keep what a signal handler logs in the middle of an append: it may end the process."""
        synced, spilled = self._options.synced, self.spilled
        try:
            self.spills[0].add(drafts, sync=synced, patience=0)
        except FAILURES:
            self.deferred.drafts += drafts
        else:
            self._hasty = not (synced or spilled)
            self.spilled = True

    # --- Chaining. The caller holds the lock between processes too.

    def chain(self, head: Head, write: Write) -> Head:
        """Chain what could not be written before: from the spill files, then from memory.

        :returns: the new head.
        :raises FAILURES: if it cannot be written, or a spill file cannot be read. The rest stays.
        """
        self.spilled = False  # until a signal handler logs in the middle of this
        read: dict[str, None] = {}
        try:
            for spill in self.spills:
                if spill.exists():
                    with spill.held():
                        head = self._chain_spilled(spill, head, write, read)
        except BaseException:
            self.spilled = True
            raise
        while self.waiting:
            count = min(BATCH, len(self.waiting))
            head = _chain_batch(self.waiting.attempt(count), head, write)
            self.waiting.remove(count)
        return head

    def _chain_spilled(self, spill: Spill, head: Head, write: Write, read: dict[str, None]) -> Head:
        """Chain the events of a spill file.

        :param read: the events that were read last, by :func:`_was_read`.
        """
        sink = self._state.sink
        start, done = spill.start(), dict[str, Record]()
        sync = not self._hasty
        if start is None or head.seq + 1 < start:
            spill.mark(head.seq + 1, sync=sync)
        else:  # a process died halfway through this: do not chain its entries twice
            done = {AuditEntry(r.body, r.hash).id: r for r in sink.records(start)}
        batch: list[Draft] = []
        strange = False
        for item in spill.read():
            if isinstance(item, bytes):
                strange = True
            elif isinstance(item, Draft) and not (_was_read(item, read) or _is_there(item, done)):
                batch.append(item)
                if len(batch) == BATCH:
                    head = _chain_batch(batch, head, write)
                    batch.clear()
        head = _chain_batch(batch, head, write)
        if strange:
            about = {"cause": "lines of the spill file that are not events"}
            about["kept_in"] = spill.set_aside()
            sink.notices.append(Notice("log.recover", about))
        if sync:
            sink.sync()
        spill.remove(sync=sync)
        return head

    def chain_deferred(self, append: Callable[[Sequence[Draft]], object]) -> None:
        """Append what was logged in the middle of an append, and all else that waits.

        :raises FAILURES: if that fails. The events are kept.
        """
        deferred = self.deferred
        if deferred.broken_off:
            append(())  # what that attempt kept comes into the log first
        count = len(deferred)  # they are removed once their fate is known
        drafts = deferred.attempt(count)
        try:
            append(drafts)
        except Busy:
            raise
        except FAILURES:  # they are kept
            deferred.remove(count)
            raise
        deferred.remove(count)

    def chain_all_deferred(
        self, append: Callable[[Sequence[Draft]], object], is_due: Callable[[], bool]
    ) -> None:
        """As :meth:`chain_deferred`, until nothing is due or something fails."""
        with contextlib.suppress(*FAILURES):  # no caller waits for these; they are kept for later
            while is_due():
                self.chain_deferred(append)

    def keep_deferred(self, error: Failure) -> None:
        """Keep what was logged in the middle of an append: the log is busy for too long."""
        count = len(self.deferred)
        self.keep(error, self.deferred.drafts[:count])
        self.deferred.remove(count)


def _chain_batch(drafts: Sequence[Draft], head: Head, write: Write) -> Head:
    if not drafts:
        return head
    *_, last = write(drafts, head)
    return Head(last.seq, last.hash)


def _was_read(draft: Draft, read: dict[str, None]) -> bool:
    """Whether this very event is among those that were read last, where it is noted now.

    An exception of a signal handler may come after the events in memory were spilled, and before
    they are removed there: they are then spilled again, at most as many events later.
    """
    event = leaf_hash(draft.body(0, GENESIS))
    known = event in read
    read[event] = None
    if len(read) > 2 * MEMORY_LIMIT:
        del read[next(iter(read))]
    return known


def _is_there(draft: Draft, done: Mapping[str, Record]) -> bool:
    """Whether this very event is in the log, and not another with the same id."""
    record = done.get(draft.id)
    if record is None:
        return False
    seq, prev = position(record.body)
    return draft.body(seq, prev) == record.body
