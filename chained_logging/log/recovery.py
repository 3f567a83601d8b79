"""What opening finds, and mends: a log that is shorter than it was, rewritten, moved or cut.

The lock file remembers the chain's last entry, and how much of it was on the disk. What the store
holds is compared with that. A difference is never mended in silence: an entry records it.
"""

from __future__ import annotations

import contextlib

from chained_logging.event.entry import AuditEntry
from chained_logging.files.lock import UNKNOWN_BOOT, Memory
from chained_logging.format.record import EMPTY, Head
from chained_logging.log.state import State, lost
from chained_logging.sinks import Notice


class Recovery:
    """Finds the end of a chain. Its caller holds both of the log's locks."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._path = state.path
        self._sink = state.sink
        self._file_lock = state.file_lock

    def recall(self, origin: str | None) -> Memory | None:
        """Return what the lock file remembers, or None for a new log.

        After a power failure the store is checked from the last synced entry on.
        """
        lock = self._file_lock
        memory = lock.recall()
        if memory is None and not self._path.exists():
            # From here on a damaged file is known to be ours, after a power failure too.
            lock.introduce(EMPTY, -1, origin or "")
            lock.sync()
        elif memory is not None and lock.restarted(memory):
            self._sink.recheck(memory.synced)
        return memory

    def origin(self, memory: Memory | None, head: Head, given: str | None) -> str | None:
        """Return the log's name, or None if it does not have one yet.

        The first entry wins over the lock file's memory.

        :raises ValueError: if another one is given.
        """
        found = self._origin_in_log() if head != EMPTY else None
        if found is None and memory is not None:
            found = memory.origin or None
        if found is not None and given is not None and given != found:
            raise ValueError(f"the log {self._path} has the origin {found!r}, not {given!r}")
        return found or given

    def _origin_in_log(self) -> str | None:
        with contextlib.suppress(ValueError):
            first = next(iter(self._sink.records()), None)
            if first is not None and first.seq == 0:
                return str(AuditEntry(first.body, first.hash).resource_id)
        return None

    def is_rewritten(self, memory: Memory | None, found: Head) -> bool:
        """Return whether the last entry written was replaced since, and record it if so."""
        if memory is None or not 0 <= memory.head.seq <= found.seq:
            return False
        remembered, hash = memory.head, found.hash
        if found.seq > remembered.seq:  # killed between an append and its note: rare
            hash = ""
            with contextlib.suppress(ValueError):  # the line is no longer an entry
                record = next(self._sink.stored(remembered.seq), None)
                if record is not None and record.seq == remembered.seq:
                    hash = record.hash
        if hash == remembered.hash:
            return False
        cause = f"entry {remembered.seq} had the hash {remembered.hash}, and has another one"
        self._sink.notices.append(Notice("log.recover", {"cause": cause, "rewritten": True}))
        return True

    def end(self, memory: Memory | None, found: Head) -> Head:
        """Return what the next entry is chained to, and record it if entries are missing."""
        if memory is None or found.seq >= memory.head.seq:
            return found
        remembered = memory.head
        if found != EMPTY and self._file_lock.may_have_lost(memory, found.seq):
            was = "may have been" if memory.boot == UNKNOWN_BOOT else "was"
            cause = (
                f"the machine {was} restarted, and the entries after {found.seq} were not on disk"
            )
            head = found
        else:
            cause, head = "", remembered  # the gap in seq is evidence, and no seq is used twice
        self._sink.resume(head)
        self._sink.notices.append(lost(remembered, found, cause))
        return head

    def remember(self, memory: Memory | None, head: Head, origin: str, *, rewritten: bool) -> None:
        """Let the lock file remember the end that was found."""
        lock = self._file_lock
        synced = -1 if memory is None else min(memory.synced, head.seq)
        # Until the notice is written, the lock file keeps the head that shows the change.
        noted = memory.head if memory is not None and rewritten else head
        lock.introduce(noted, synced, origin)
        if memory is not None and lock.restarted(memory):
            # The entry it remembered may be lost, and its seq used again: a second power
            # failure must not bring the old note back.
            lock.sync()

    def note_end(self, origin: str) -> None:
        """Let the lock file remember the chain's end, so that a tail cut off later shows.

        :raises FAILURES: if the log cannot be read.
        """
        lock = self._file_lock
        try:
            lock.acquire()
            head, memory = self._state.head(), lock.recall()
            synced = -1 if memory is None else min(memory.synced, head.seq)
            lock.introduce(head, synced, origin)
        finally:
            lock.release()
