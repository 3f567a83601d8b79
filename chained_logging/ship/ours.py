"""A log's knowledge of what a destination holds under its name, if others may add to that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import Frontier
from chained_logging.format.note import Note
from chained_logging.format.record import EMPTY, Head, StoredCheckpoint
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.ship.source import Source
from chained_logging.sinks.checkpoints import signed_by_any


class OurLog:
    """See :class:`~chained_logging.ship.destination.Ours`. If it has to, it reads the whole log,
    once.

    :param reached: returns the last entry that the destination is remembered to hold.
    """

    def __init__(self, log: Source, reached: Callable[[], Head]) -> None:
        self._log = log
        self._reached = reached
        self._keyring = Keyring(log.origin)

    def size(self) -> int:
        return self._log.durable_head().seq + 1

    def reached(self) -> Head:
        return self._reached()

    def holds(self, head: Head) -> bool:
        if head in (EMPTY, self._reached()):
            return True
        with contextlib.suppress(ValueError):
            ours = next(self._log.stored(head.seq), None)
            return ours is not None and (ours.seq, ours.hash) == head
        return False

    def has_key(self) -> bool:
        with contextlib.suppress(ValueError):  # a broken log: what is before the break counts
            for record in self._log.records(self._keyring.next):
                self._keyring.look(record)
        return bool(self._keyring.known)

    def keys(self) -> list[VerifierKey]:
        known = self._keyring.known if self.has_key() else []
        return [key for key in known if key.format() not in self._keyring.revoked]

    def signed(self, stored: StoredCheckpoint) -> bool:
        return signed_by_any(stored, self.keys())

    def made(self, stored: StoredCheckpoint) -> bool:
        """Whether a key of the log signed it: the current one, an earlier one, or a revoked one."""
        return self.has_key() and signed_by_any(stored, self._keyring.known)

    def agrees(self, stored: StoredCheckpoint) -> bool:
        try:
            said = Checkpoint.parse(Note.parse(stored.note.encode()).text)
        except (NoteError, ValueError):
            return False
        tree = Frontier()
        with contextlib.suppress(ValueError):
            for record in self._log.stored():
                if tree.size == said.size:
                    break
                tree.append(bytes.fromhex(record.hash))
        return (tree.size, tree.root()) == (said.size, said.root)
