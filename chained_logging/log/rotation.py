"""The protocol by which a log's key is replaced or revoked, with entries of the log's own.

A rotation is an entry that names the new key, with a statement about it that the old key signed,
under a checkpoint by the old key. The format is in ``docs/format.md``.
"""

from __future__ import annotations

import re
from typing import Final

from chained_logging.errors import BrokenLog
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.vkey import Signer, VerifierKey
from chained_logging.keys.keyring import NAMING, Keyring
from chained_logging.keys.statements import verifier_key
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.own_entries import SYSTEM, OwnEntries
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks import Notice

_ABOUT_KEYS: Final = re.compile(
    NAMING.pattern
    + rb'|\{"action":"archive\.move","actor_id":"chained_logging","actor_type":"system",'
)


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
            head = state.head()
            if public_key not in self._named():
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

    def _named(self) -> set[str]:
        """Return the keys that the log names, those among them that it names in its archive."""
        ring = Keyring(self._state.origin)
        about = [one for one in self._state.sink.records() if _ABOUT_KEYS.match(one.body)]
        if about and about[0].seq:  # the log's first entry is in the archive
            moved = [record for record in about if not NAMING.match(record.body)]
            for vkey in _archived(moved[-1]) if moved else ():
                ring.trust(vkey, moved[-1])
        for record in about:
            ring.look(record)
        return {key.format() for key in ring.known}


def _archived(moved: Record) -> list[str]:
    """Return the keys that entries in the archive name, as the log says; none if it does not."""
    try:
        keys = [named["key"] for named in AuditEntry(moved.body, moved.hash).context["keys"]]
        return [VerifierKey.parse(key).format() for key in keys]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []
