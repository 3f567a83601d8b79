"""What a log can do because it is signed: its checkpoints, its keys, and its decisions.

What the decisions let go is removed here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import StoredCheckpoint
from chained_logging.format.vkey import Signer

if TYPE_CHECKING:
    from pathlib import Path

    from chained_logging.log.parts import Parts
    from chained_logging.log.purging import Guard
    from chained_logging.sinks.removal import Named


class Signed:
    """The base of :class:`chained_logging.AuditLog`, which has the parts."""

    _parts: Parts

    # --- Checkpoints.

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """Read the stored checkpoints. One that was co-signed later appears twice."""
        yield from self._parts.checkpoints.stored()

    def own_checkpoints(self) -> Iterator[StoredCheckpoint]:
        """As :meth:`checkpoints`, but only those that a past or present key of the log signed,
        as far as the log was read here."""
        yield from self._parts.checkpoints.own()

    def last_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest stored checkpoint. If the log was opened with its key, return the
        newest that a key of the log signed."""
        return self._parts.checkpoints.last()

    def checkpoints_after(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """As :meth:`checkpoints`, starting at a mark; each comes with the mark after it."""
        yield from self._parts.state.sink.checkpoints(mark)

    def checkpoint(self) -> bytes:
        """Sign a checkpoint over all entries so far, keep it beside the log, and return it.

        :returns: a C2SP signed note; the previous one, if no entry was added since.
        :raises ValueError: if the log has no key.
        :raises OSError: if the log or the checkpoints cannot be read or written; also LogError.
        """
        return self._parts.checkpoints.make()

    def keep_anchored(self, note: bytes, timestamp: str | None = None) -> None:
        """Store a checkpoint of this log once more, with the signatures that others added.

        :param note: a stored checkpoint with more signatures under it.
        :param timestamp: an RFC 3161 response over exactly these bytes, in base64.
        :raises ValueError: if its text is not that of a stored checkpoint.
        :raises OSError: if it cannot be written; also LogError.
        """
        self._parts.checkpoints.keep_anchored(note, timestamp)

    # --- Keys.

    def rotate_key(self, new: Signer) -> bytes:
        """Switch to a new key, and seal everything before it with the old one.

        A thief of the new key cannot forge the past: that takes the old key, which the caller
        should destroy now (:func:`chained_logging.keys.destroy`). Other processes that opened the
        log with the key's file read it again. Those that were given the key object stop making
        checkpoints and say so in ``stats()["last_error"]``; the processes with the new key seal
        their entries.

        :returns: the sealing checkpoint. Keep a copy elsewhere.
        :raises ValueError: if the log has no key, or if `new` is its present key.
        :raises OSError: if the log cannot be written; also LogError.
        """
        return self._parts.rotation.rotate(new)

    def revoke_key(self, public_key: str, reason: str) -> AuditEntry:
        """Record that a key was stolen: from here on its signatures prove nothing by themselves.

        Of what that key signed, the verifier then trusts only what a checkpoint kept elsewhere
        covers. If this log was opened with its key, the entry holds a statement signed by it. If
        not, anybody with write access could have made the entry, and the verifier says so.

        :param public_key: the key as a ``vkey``.
        :raises ValueError: if the log never had it.
        :raises OSError: if it cannot be written; also LogError.
        """
        return self._parts.rotation.revoke(public_key, reason)

    # --- Decisions about what may be removed.

    def decide(
        self,
        action: str,
        context: Mapping[str, Any],
        *,
        loosens: bool,
        on_behalf_of: str | None = None,
        reason: str | None = None,
        check: Callable[[], None] | None = None,
    ) -> AuditEntry:
        """Append an entry of the log's own that protects entries, or lets some be removed.

        If this log was opened with its key, the entry holds a statement signed by it.

        :param action: ``hold.…`` or ``retention.…``.
        :param context: what is decided; the log adds its origin and the statement.
        :param loosens: whether a log with a key must sign it: without that, everybody who can write
            the file could remove entries.
        :param on_behalf_of: the person who made the log do it.
        :param check: called when nobody else can append; what it raises ends the call.
        :raises KeyMissing: if the key must sign it, and the log was opened without.
        :raises ValueError: if it does not fit one entry.
        :raises OSError: if it cannot be written; also LogError.
        """
        given = {"on_behalf_of": on_behalf_of, "reason": reason}
        fields = {name: value for name, value in given.items() if value is not None}
        return self._parts.decisions.write(action, context, fields, loosens=loosens, check=check)

    def remove(
        self, named: Named, guard: Guard, on_progress: Callable[[int], None] | None = None
    ) -> int:
        """Remove entries that decisions of this log name, and leave their stubs.

        Others may write meanwhile. A call that was killed is finished by the next one.

        :param named: ranges of entries, each with its last one included, in order.
        :param guard: decides about each entry.
        :param on_progress: called now and then with the number removed so far.
        :returns: how many were removed.
        :raises OSError: if the store fails; also LogError.
        """
        return self._parts.purging.remove(named, guard, on_progress)

    def give_back(self, guard: Guard) -> None:
        """Give the space of removed entries back, and leave nothing of them in the store.

        :raises Busy: if a program that reads the log keeps that from being done now.
        :raises OSError: if the store fails; also LogError.
        """
        self._parts.purging.give_back(guard)

    def removable(self) -> int:
        """Return the last ``seq`` that could be removed now; -1 if none could. In a JSON Lines log
        only sealed segments are rewritten."""
        return self._parts.state.sink.removable()

    def files(self) -> list[Path]:
        """Return the files that hold the log's entries."""
        return self._parts.state.sink.files()
