"""What a log can do because it is signed: its checkpoints, its keys, and its decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import StoredCheckpoint
from chained_logging.format.vkey import Signer

if TYPE_CHECKING:
    from chained_logging.log.parts import Parts


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
    ) -> AuditEntry:
        """Append an entry of the log's own that protects entries, or lets some be removed.

        If this log was opened with its key, the entry holds a statement signed by it.

        :param action: ``hold.…`` or ``retention.…``.
        :param context: what is decided; the log adds its origin and the statement.
        :param loosens: whether a log with a key must sign it: without that, everybody who can write
            the file could remove entries.
        :param on_behalf_of: the person who made the log do it.
        :raises KeyMissing: if the key must sign it, and the log was opened without.
        :raises ValueError: if it does not fit one entry.
        :raises OSError: if it cannot be written; also LogError.
        """
        given = {"on_behalf_of": on_behalf_of, "reason": reason}
        fields = {name: value for name, value in given.items() if value is not None}
        return self._parts.decisions.write(action, context, fields, loosens=loosens)
