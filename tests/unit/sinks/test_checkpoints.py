"""A stored checkpoint counts for what a key signed, and its tree only if it leads to that."""

from __future__ import annotations

import base64

import pytest
from signed_logs import ORIGIN, Key
from sink_records import chained

from chained_logging.errors import BrokenLog
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import NO_CHECKPOINT, Record, StoredCheckpoint
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.sinks.checkpoints import (
    frontier,
    make,
    pretends,
    signed_by_any,
    tree_at,
)


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def records() -> list[Record]:
    return chained(5)


@pytest.fixture
def stored(key: Key, records: list[Record]) -> StoredCheckpoint:
    return make(Frontier(), records, ORIGIN, key)


def verifier(key: Key) -> VerifierKey:
    return VerifierKey(ORIGIN, ED25519, key.public_key)


def test_it_is_continued_without_the_entries_before(
    key: Key, records: list[Record], stored: StoredCheckpoint
) -> None:
    begun = make(Frontier(), records[:3], ORIGIN, key)
    assert make(frontier(begun), records[3:], ORIGIN, key) == stored
    assert frontier(None).size == 0


def test_a_gap_is_never_signed(key: Key, records: list[Record]) -> None:
    with pytest.raises(BrokenLog, match="entry 1 is not in the log, and 2 is"):
        make(Frontier(), [records[0], records[2]], ORIGIN, key)


def other_state(records: list[Record]) -> str:
    tree = Frontier()
    for record in reversed(records):
        tree.append(bytes.fromhex(record.hash))
    return base64.b64encode(tree.to_bytes()).decode()


@pytest.mark.parametrize("edited", ["state", "junk", "size"])
def test_a_tree_that_does_not_lead_to_the_signed_root_is_not_used(
    records: list[Record], stored: StoredCheckpoint, edited: str
) -> None:
    changes = {
        "state": {"state": other_state(records)},
        "junk": {"state": "junk"},
        "size": {"size": 4},
    }
    changed = stored._replace(**changes[edited])  # type: ignore[arg-type]
    with pytest.raises(BrokenLog):
        frontier(changed)
    tree = tree_at(changed, lambda: records)  # made of the entries
    assert tree.root() == frontier(stored).root()


def test_entries_that_were_changed_since_are_not_continued(
    records: list[Record], stored: StoredCheckpoint
) -> None:
    changed = [*records[:4], records[4]._replace(hash="f" * 64)]
    with pytest.raises(BrokenLog, match="changed since"):
        tree_at(stored._replace(state="junk"), lambda: changed)
    with pytest.raises(BrokenLog, match="changed since"):
        tree_at(stored._replace(state="junk"), lambda: records[:4])


def test_who_signed_it(key: Key, stored: StoredCheckpoint) -> None:
    other = verifier(Key())
    assert signed_by_any(stored, [other, verifier(key)])
    assert not signed_by_any(stored, [other])
    assert not signed_by_any(stored, [])
    assert not signed_by_any(stored._replace(size=4), [verifier(key)])
    assert not signed_by_any(NO_CHECKPOINT, [verifier(key)])


def test_what_bears_a_keys_name_without_its_signature_pretends(
    key: Key, records: list[Record], stored: StoredCheckpoint
) -> None:
    assert not pretends(stored, [verifier(key)])
    assert pretends(stored._replace(size=4), [verifier(key)])
    assert pretends(NO_CHECKPOINT, [verifier(key)])
    theirs = make(Frontier(), records, ORIGIN, Key())
    assert not pretends(theirs, [verifier(key)])  # another key's, and it says so
