"""Entries in the log's own name."""

from __future__ import annotations

import base64
from pathlib import Path

from log_parts import state_of
from signed_logs import ORIGIN, Key, ed25519

from chained_logging.event.entry import AuditEntry
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import entry_message
from chained_logging.log.own_entries import OwnEntries, own_draft
from chained_logging.log.recent import RecentHashes
from chained_logging.log.signing import Signing
from chained_logging.sinks import Notice


def test_the_log_speaks_of_itself_in_its_own_name() -> None:
    fields = own_draft(Notice("log.recover", {"cause": "a test"}), ORIGIN).fields
    assert (fields["actor_id"], fields["actor_type"]) == ("chained_logging", "system")
    assert (fields["resource_type"], fields["resource_id"]) == ("audit_log", ORIGIN)


def test_one_follows_the_head_and_is_signed_as_all_are(path: Path) -> None:
    key, recent = Key(), RecentHashes()
    with state_of(path) as state:
        signing = Signing(state, key, each=True)
        signing.keyring = Keyring(ORIGIN)
        before = state.sink.head()
        after = OwnEntries(state, signing, recent).write(Notice("log.heartbeat", {}), before)
        assert state.sink.head() == after
        assert after.seq == before.seq + 1
        (record,) = state.sink.records(after.seq)
        entry = AuditEntry(record.body, record.hash, record.signature)
        assert (entry.action, entry.prev_hash) == ("log.heartbeat", before.hash)
        public = ed25519.Ed25519PublicKey.from_public_bytes(key.public_key)
        public.verify(base64.b64decode(record.signature or ""), entry_message(record.hash))
        assert recent.between(after.seq, after) == [after.hash]
