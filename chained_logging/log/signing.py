"""The key of this writer, and which key the log has according to its entries."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chained_logging.errors import FAILURES, KeyForged, KeyMissing, KeyRotated
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import entry_message, statement_message, verifier_key
from chained_logging.log.state import State
from chained_logging.sinks.checkpoints import signed_by_any

if TYPE_CHECKING:
    from chained_logging.keys import PrivateKey


class Signing:
    """Signs with this writer's key, once it has checked that the key is the log's.

    :param key: what signs, or the path of a key file, which is read again after a rotation by
        another process. None if this writer has no key.
    :param each: whether every entry is signed.
    :ivar keyring: which keys the log's entries name, as far as they were read.
    """

    def __init__(
        self, state: State, key: Signer | str | os.PathLike[str] | None, *, each: bool
    ) -> None:
        self._state = state
        self._file = Path(os.path.abspath(key)) if isinstance(key, str | os.PathLike) else None
        self.key: Signer | None = _load(key) if isinstance(key, str | os.PathLike) else key
        self.each = each
        self.keyring = Keyring("")

    def afresh(self) -> None:
        """Replace the lock of the keyring."""
        self.keyring.lock = threading.Lock()

    def required(self) -> Signer:
        """Return the key.

        :raises KeyMissing: if the log has no key.
        """
        if self.key is None:
            raise KeyMissing("there is no key to sign with: open the log with its key")
        return self.key

    def own_vkey(self) -> str:
        """Return this writer's public key as a ``vkey``."""
        return verifier_key(self.keyring.origin, self.required())

    def signature(self, hash: str) -> str:
        """Return the signature over an entry's hash, in base64."""
        return base64.b64encode(self.required().sign(entry_message(hash))).decode()

    def statement(self, action: str, head: Head, key: str) -> str:
        """Return the log key's signed statement about another key, for the entry after `head`."""
        origin, ours = self.keyring.origin, self.own_vkey()
        message = statement_message(action, origin, head.seq + 1, head.hash, ours, key)
        return base64.b64encode(self.required().sign(message)).decode()

    def trust(self, checkpoint: StoredCheckpoint) -> None:
        """Take our key for the log's, on the word of a checkpoint that it signed: its signer has
        checked the entries below."""
        self.keyring.trust(self.own_vkey(), self.entry(checkpoint.size - 1))

    def made(self, checkpoint: StoredCheckpoint) -> bool:
        """Whether our key signed a checkpoint."""
        key = VerifierKey(self.keyring.origin, ED25519, self.required().public_key)
        return signed_by_any(checkpoint, [key])

    def entry(self, seq: int) -> Record | None:
        """Return a stored entry, or None if it cannot be read."""
        with contextlib.suppress(ValueError):
            record = next(self._state.sink.readable(seq), None)
            return record if record is not None and record.seq == seq else None
        return None

    def look_at_others(self, head: Head) -> None:
        """Check entries that were not checked yet: anybody may have written them."""
        ring, sink = self.keyring, self._state.sink
        try:
            self._look_at(sink.records(ring.next), head)
        except ValueError as error:
            ring.trouble = ring.trouble or (
                f"{self._state.path} cannot be read as a log: {error}; chained-logging verify "
                "names every break"
            )
            self._look_at(sink.readable(ring.next), head)

    def _look_at(self, records: Iterable[Record], head: Head) -> None:
        for record in records:
            if record.seq > head.seq:
                break
            self.keyring.look(record)

    def check_names(self, head: Head, last: StoredCheckpoint | None = None) -> None:
        """Check that every key that an entry up to `head` names was named by the log's own key.

        :param last: a checkpoint of the log. If our key signed it, entries below are not read.
        :raises KeyForged: if one was not.
        :raises KeyRotated: if the log was rotated to a key that this writer does not have.
        """
        ring, ours = self.keyring, self.own_vkey()
        ahead = last is not None and ring.next < last.size - 1 <= head.seq
        if last is not None and ahead and ring.current == ours and self.made(last):
            self.trust(last)
        self.look_at_others(head)
        if ring.trouble is not None:
            raise KeyForged(ring.trouble)
        if ring.current != ours:
            self._take_new_key(KeyRotated(ring.current))

    def follow_others(self, head: Head) -> None:
        """Before an entry is signed: check the entries of others since our last one. They may name
        a key that the log does not have, or have rotated it."""
        self.check_names(head)
        self._state.seq = head.seq

    def _take_new_key(self, rotated: KeyRotated) -> None:
        """Read the key's file again, if the key came from one.

        :raises KeyRotated: if it did not, or if the file does not hold the new key yet.
        """
        file = self._file
        for name in () if file is None else (file, f"{file}.new"):  # the second during a rotation
            with contextlib.suppress(*FAILURES, ValueError):
                key = _load(name)
                if verifier_key(self.keyring.origin, key) == rotated.vkey:
                    self.key = key
                    return
        raise rotated

    def tell_of_revocation(self) -> None:
        """Report that the key was revoked: somebody must replace it."""
        at = self.keyring.revoked.get(self.keyring.current or "")
        if at is not None:
            self._state.tell(
                f"entry {at} says that the log's key was stolen: replace it with "
                "chained-logging rotate-key"
            )


def _load(file: str | os.PathLike[str]) -> PrivateKey:
    from chained_logging.keys import PrivateKey, passphrase_from

    return PrivateKey.load(file, passphrase_from())
