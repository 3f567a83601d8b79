"""Which entries and checkpoints of a central store the log's own keys vouch for.

Anyone who may add to a store can add foreign checkpoints, and entries that continue the chain,
since hashes need no key. Only a signature tells whose they are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from chained_logging.format.merkle import Frontier
from chained_logging.format.note import Note
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import entry_message, made_statement
from chained_logging.sinks.checkpoints import signed_by_any


class Vouched:
    """What the keys of one log vouch for.

    :param origin: of the log.
    :param public_key: the log's first key, 32 bytes, from elsewhere; None believes the log.
    :ivar entries: how many entries, from the first on, a key vouches for.
    :ivar checkpoints: those that a key of the log signed, and that are of these entries.
    :ivar foreign: how many others there are.
    :ivar beyond: the largest size that a key of the log signed, if it exceeds the number of
        entries.
    """

    def __init__(self, origin: str, public_key: bytes | None = None) -> None:
        self.entries = 0
        self.checkpoints: list[StoredCheckpoint] = []
        self.foreign = 0
        self.beyond = 0
        self._public_key = public_key
        self._keyring = Keyring(origin)

    @property
    def has_key(self) -> bool:
        """Whether the log names a key."""
        return bool(self._keyring.known)

    @property
    def trouble(self) -> str | None:
        """Why an entry that names a key is not the log's, if there is one."""
        return self._keyring.trouble

    def follow(self, records: Iterable[Record | Stub]) -> Iterator[Record | Stub]:
        """Pass entries and stubs on, from the first one, and look at each for keys and signatures.

        :raises ValueError: if the first key is not the one that was given.
        """
        pinned = self._public_key is None
        for record in records:
            if isinstance(record, Record):  # entries that name keys never become stubs
                self._keyring.look(record)
            if not pinned and self._keyring.known:
                pinned = True
                if self._keyring.known[0].public_key != self._public_key:
                    raise ValueError("the log's first key is not the one that was given")
            if record.signature is not None and self._is_signed(record):
                self.entries = record.seq + 1
            yield record
        if not pinned:
            raise ValueError("a public key was given, but the log names no key")

    def judge(self, notes: Iterable[StoredCheckpoint], records: Iterable[Record | Stub]) -> None:
        """Tell the log's own checkpoints from others, after :meth:`follow`.

        :param notes: all that the store has.
        :param records: the same entries once more.
        """
        signed: dict[int, list[StoredCheckpoint]] = {}
        for stored in notes:
            if signed_by_any(stored, self._trusted()):
                signed.setdefault(stored.size, []).append(stored)
            else:
                self.foreign += 1
        tree = Frontier()
        for record in records:
            tree.append(bytes.fromhex(record.hash))
            for stored in signed.pop(tree.size, ()):
                self._compare(stored, tree)
        self.beyond = max(signed, default=0)

    def _trusted(self) -> list[VerifierKey]:
        revoked = self._keyring.revoked
        return [key for key in self._keyring.known if key.format() not in revoked]

    def _compare(self, stored: StoredCheckpoint, tree: Frontier) -> None:
        origin, size, root = Note.parse(stored.note.encode()).text.split("\n")[:3]
        here = base64.b64encode(tree.root()).decode()
        if (origin, size, root) != (self._keyring.origin, str(tree.size), here):
            raise ValueError(
                f"the first {tree.size:,} entries are not those that a checkpoint of the log's key "
                "vouches for: they were rewritten"
            )
        self.checkpoints.append(stored)
        self.entries = max(self.entries, tree.size)

    def _is_signed(self, record: Record | Stub) -> bool:
        current = self._keyring.current
        if current is None or self._keyring.trouble or current in self._keyring.revoked:
            return False
        try:
            signature = base64.b64decode(record.signature or "", validate=True)
        except ValueError:
            return False
        return made_statement(VerifierKey.parse(current), entry_message(record.hash), signature)
