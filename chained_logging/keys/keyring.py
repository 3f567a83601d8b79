"""Which key a log has: entries that name a key are checked before later ones are signed.

Others may be able to write to a log's file. An entry in the log's own name that names a new key is
trusted only if it holds a statement signed by the previous key; see ``docs/format.md``. Until that
is checked, no later entry and no checkpoint over it is signed.
"""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys.statements import made_statement, statement_message

KEY_ACTIONS: Final = ("log.open", "key.add", "key.rotate")
"""Entries that name the log's public key from there on."""

NAMING: Final = re.compile(
    rb'\{"action":"(log\.open|key\.(?:add|rotate|revoke))",'
    rb'"actor_id":"chained_logging","actor_type":"system",'
)
"""How the bodies of entries about keys begin, those that revoke one among them."""


class Keyring:
    """Follows the entries that name a log's keys, from the first to the last.

    Threads may share it.

    :ivar next: the ``seq`` of the first entry that was not checked yet.
    :ivar current: the log's key as a vkey; None until a key was named.
    :ivar since: the ``seq`` of the entry that named it; -1 if none did.
    :ivar known: all past and present keys, as far as they were seen.
    :ivar revoked: those of them that were revoked, each with the ``seq`` of that entry.
    :ivar trouble: why nothing may be signed any more; None if all is well.
    """

    def __init__(self, origin: str) -> None:
        self.origin: Final = origin
        self.next = 0
        self.current: str | None = None
        self.since = -1
        self.known: list[VerifierKey] = []
        self.revoked: dict[str, int] = {}
        self.trouble: str | None = None
        self._named = -1  # the last entry that was found to be about a key
        self.lock = threading.Lock()

    def trust(self, vkey: str, last: Record | None) -> None:
        """Take a key for the log's at an entry, on the word of a checkpoint that it signed.

        :param last: the last entry that a checkpoint of this key covers; it may be the one that
            names the key, or, where that is the seal of a rotation, the one that names the next.
        """
        if last is None:
            return
        self._take(vkey, self.since)
        self.next = last.seq
        if NAMING.match(last.body):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                if AuditEntry(last.body, last.hash).context.get("public_key") == vkey:
                    self.since, self.next = last.seq, last.seq + 1

    def wrote(self, first: int, count: int) -> None:
        """Note that these entries are a caller's, and were written here."""
        if self.next == first:
            self.next = first + count

    def look(self, record: Record) -> None:
        """Check the next entry. If it is wrong, `trouble` then says why."""
        found = NAMING.match(record.body)
        if found is not None:
            with self.lock:
                if record.seq > self._named:
                    self._named = record.seq
                    self._follow(record, found[1].decode())
        self.next = max(self.next, record.seq + 1)

    def _follow(self, record: Record, action: str) -> None:
        try:
            entry = AuditEntry(record.body, record.hash)
            if action == "key.revoke":
                self.revoked.setdefault(str(entry.resource_id), record.seq)
                return
            named = self._named_by(entry, action)
            if named is not None:
                self._take(named, record.seq)
        except (ValueError, TypeError, KeyError, RecursionError) as problem:
            self.trouble = self.trouble or (
                f"entry {record.seq} ({action}) was not written by this log: {problem}. Nothing is "
                "signed above it: keep the files as evidence, find out who can write them, and "
                "begin a new log"
            )

    def _named_by(self, entry: AuditEntry, action: str) -> str | None:
        """Return the key that an entry names.

        :raises ValueError: if it may not.
        """
        context: dict[str, Any] = entry.context
        if not isinstance(context, dict):
            raise ValueError("its context is not an object")
        named = context.get("public_key")
        if action == "log.open":
            if entry.seq:
                raise ValueError("a log is opened by its first entry, and by no other")
            if named is None:
                return None
        key = VerifierKey.parse(named) if isinstance(named, str) else None
        if key is None or key.name != self.origin or key.type != ED25519:
            raise ValueError("it names no key of this log")
        if action != "key.rotate":
            if self.current is not None:
                raise ValueError("the log had a key already, which must name the next one")
            return key.format()
        if self.current is None or context.get("old_public_key") != self.current:
            raise ValueError("the key before is not the log's key")
        message = statement_message(
            action, self.origin, entry.seq or 0, entry.prev_hash, self.current, key.format()
        )
        signature = base64.b64decode(str(context.get("statement", "")), validate=True)
        if not made_statement(VerifierKey.parse(self.current), message, signature):
            raise ValueError("the key before did not sign its statement")
        return key.format()

    def _take(self, vkey: str, seq: int) -> None:
        self.current, self.since = vkey, seq
        key = VerifierKey.parse(vkey)
        if key not in self.known:
            self.known.append(key)
