"""Entries that decide what may be removed: in a signed log, the log's key states them.

Anybody who can write the file can write an entry in the log's name. So in a log with a key, what
loosens a protection counts only with a statement that the key signed. The format is in
``docs/format.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chained_logging.errors import BrokenLog, KeyForged, KeyMissing
from chained_logging.event.draft import Draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Head
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import context_digest
from chained_logging.log.checkpoints import Checkpoints
from chained_logging.log.own_entries import OwnEntries, own_draft
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks import Notice


class Decisions:
    """Writes such entries to an open log."""

    def __init__(
        self, state: State, signing: Signing, checkpoints: Checkpoints, own: OwnEntries
    ) -> None:
        self._state = state
        self._signing = signing
        self._checkpoints = checkpoints
        self._own = own
        self._ring = Keyring("")  # of a log without a key: what was read of it

    def write(
        self,
        action: str,
        context: Mapping[str, Any],
        fields: Mapping[str, str],
        *,
        loosens: bool,
        check: Callable[[], None] | None = None,
    ) -> AuditEntry:
        """Append a decision, with a statement by the key if this writer has one.

        :param context: what is decided, without the origin and the statement.
        :param fields: further fields of the entry, such as ``reason``.
        :param loosens: whether a log with a key needs the statement.
        :param check: called when nobody else can append to the log; what it raises is raised.
        :raises KeyMissing: if it does, and this writer has no key.
        :raises ValueError: if the decision does not fit one entry.
        :raises FAILURES: if the entry cannot be written.
        """
        state, signing = self._state, self._signing
        state.notice_fork()
        if loosens and signing.key is None:
            self._require_no_key()  # here, so that nobody waits while the whole log is read
        with self._checkpoints.lock, state.held():
            head = state.head()
            if check is not None:
                check()
            if loosens and signing.key is None:
                self._require_no_key()
            about = {**context, "origin": state.origin}
            entry = own_draft(Notice(action, about), state.origin, **fields)
            if signing.key is not None:
                signing.check_names(head)
                entry = self._stated(action, entry, head, fields)
            state.seq = self._own.write(entry, head).seq
            written = signing.entry(state.seq)
        if written is None:
            raise BrokenLog(f"{state.path} does not hold entry {state.seq}, which was just written")
        return AuditEntry(written.body, written.hash, written.signature)

    def _require_no_key(self) -> None:
        if self._ring.origin != self._state.origin:
            self._ring = Keyring(self._state.origin)
        ring = self._ring
        for record in self._state.sink.records(ring.next):
            ring.look(record)
        if ring.trouble is not None:
            raise KeyForged(ring.trouble)
        if ring.current is not None:
            raise KeyMissing("the log has a key, which must sign this: give it with --key")

    def _stated(self, action: str, entry: Draft, head: Head, fields: Mapping[str, str]) -> Draft:
        """Return an entry with the key's statement about its context, as it is stored."""
        origin = self._signing.keyring.origin
        about = _context(entry, head)
        statement = self._signing.statement(action, head, context_digest(about))
        stated = own_draft(Notice(action, {**about, "statement": statement}), origin, **fields)
        if _context(stated, head) != {**about, "statement": statement}:
            raise ValueError("what is decided must fit one entry: shorten it")
        return stated


def _context(entry: Draft, head: Head) -> dict[str, Any]:
    found: dict[str, Any] = AuditEntry(entry.body(head.seq + 1, head.hash), None).context
    return found
