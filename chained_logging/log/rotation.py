"""The protocol by which a log's key is replaced or revoked, with entries of the log's own.

A rotation is an entry that names the new key, with a statement about it that the old key signed,
under a checkpoint by the old key. The format is in ``docs/format.md``.
"""

from __future__ import annotations

from chained_logging.errors import BrokenLog
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.vkey import Signer
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import verifier_key
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.own_entries import SYSTEM, OwnEntries
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks import Notice


class Rotation:
    """Changes the key of an open log."""

    def __init__(
        self, state: State, signing: Signing, checkpoints: Checkpoints, own: OwnEntries
    ) -> None:
        self._state = state
        self._signing = signing
        self._checkpoints = checkpoints
        self._own = own

    def rotate(self, new: Signer) -> bytes:
        """Switch to a new key, and return the checkpoint by which the old one seals its time.

        :raises ValueError: if the log has no key, or if `new` is its present key.
        :raises FAILURES: if the log cannot be written.
        """
        state, signing, checkpoints = self._state, self._signing, self._checkpoints
        state.notice_fork()
        if signing.key is None:
            raise ValueError("this log has no key: reopen it with one, and it is added")
        if new.public_key == signing.key.public_key:
            raise ValueError("the new key must differ from the old one")
        with checkpoints.lock:
            checkpoints.make()  # so that the seal, under the lock, has little to read
            with state.held():
                head, named = state.head(), verifier_key(state.origin, new)
                signing.check_names(head)
                about = {
                    "origin": state.origin,
                    "old_public_key": signing.own_vkey(),
                    "public_key": named,
                    "statement": signing.statement("key.rotate", head, named),
                }
                head = self._own.write(Notice("key.rotate", about), head)
                sealed = checkpoints.sign(head, checkpoints.newer(checkpoints.kept()))
                state.sink.add_checkpoint(sealed)
                signing.key, state.seq, checkpoints.newest = new, head.seq, sealed
                if next(state.sink.stored()).seq:
                    # Its front is in an archive, with the keys before. By this, who opens it next
                    # knows the new one.
                    checkpoints.newest = checkpoints.sign(head, sealed)
                    state.sink.add_checkpoint(checkpoints.newest)
            return sealed.note.encode()

    def revoke(self, public_key: str, reason: str) -> AuditEntry:
        """Record that a key was stolen, with a statement by our key if there is one.

        :param public_key: the key as a ``vkey``.
        :raises ValueError: if the log never had it.
        :raises FAILURES: if the entry cannot be written.
        """
        state, signing = self._state, self._signing
        state.notice_fork()
        with self._checkpoints.lock, state.held():
            head, ring = state.head(), Keyring(state.origin)
            for record in state.sink.records():
                ring.look(record)
            if public_key not in {key.format() for key in ring.known}:
                raise ValueError(f"the log {state.path} never had the key {public_key}")
            context = {"origin": state.origin}
            if signing.key is not None:
                signing.check_names(head)
                context["statement"] = signing.statement("key.revoke", head, public_key)
            about = {"resource": ("public_key", public_key), "reason": reason, "context": context}
            entry = draft({**SYSTEM, **about}, action="key.revoke", own=True)
            seq = self._own.write(entry, head).seq
            written = signing.entry(seq)
        if written is None:
            raise BrokenLog(f"{state.path} does not hold entry {seq}, which was just written")
        return AuditEntry(written.body, written.hash, written.signature)
