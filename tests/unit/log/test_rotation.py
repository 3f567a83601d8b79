"""A rotation is a statement by the old key and a seal over it; a revocation names a known key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions
from signed_logs import ORIGIN, Key, ed25519

from chained_logging import AuditLog
from chained_logging.event.entry import AuditEntry
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.note import Note, verify_note
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys.statements import statement_message, verifier_key


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def log(path: Path, key: Key) -> Iterator[AuditLog]:
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        yield log


def signed_by(note: bytes, key: Key) -> bool:
    try:
        verify_note(Note.parse(note), [VerifierKey(ORIGIN, ED25519, key.public_key)])
    except ValueError:
        return False
    return True


def test_the_old_key_states_the_new_one_and_seals_the_statement(log: AuditLog, key: Key) -> None:
    new = Key()
    seal = log.rotate_key(new)
    records = list(log._parts.state.sink.records())
    assert actions(records) == ["log.open", "a", "key.rotate"]
    said = AuditEntry(records[-1].body, records[-1].hash).context
    message = statement_message(
        "key.rotate", ORIGIN, 2, records[1].hash, verifier_key(ORIGIN, key), said["public_key"]
    )
    public = ed25519.Ed25519PublicKey.from_public_bytes(key.public_key)
    public.verify(base64.b64decode(said["statement"]), message)
    assert Checkpoint.parse(Note.parse(seal).text).size == 3
    assert signed_by(seal, key)
    assert not signed_by(seal, new)


def test_the_new_key_signs_from_then_on(log: AuditLog, key: Key) -> None:
    new = Key()
    log.rotate_key(new)
    log.append("b", **EVENT)
    note = log.checkpoint()
    assert signed_by(note, new)
    assert not signed_by(note, key)


def test_the_same_key_again_is_refused(log: AuditLog, key: Key) -> None:
    with pytest.raises(ValueError, match="must differ"):
        log.rotate_key(key)
    assert actions(log._parts.state.sink.records()) == ["log.open", "a"]


def test_a_log_without_a_key_has_none_to_rotate(path: Path) -> None:
    with AuditLog(path) as log, pytest.raises(ValueError, match="key"):
        log.rotate_key(Key())


def test_only_a_key_of_the_log_can_be_revoked(log: AuditLog, key: Key) -> None:
    with pytest.raises(ValueError, match="never had the key"):
        log.revoke_key(verifier_key(ORIGIN, Key()), "stolen")
    new = Key()
    log.rotate_key(new)
    entry = log.revoke_key(verifier_key(ORIGIN, key), "stolen")
    assert (entry.action, entry.reason) == ("key.revoke", "stolen")
    assert "statement" in entry.context
