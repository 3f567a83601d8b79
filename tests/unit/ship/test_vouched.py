"""Which entries and checkpoints of a store a key of the log vouches for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key, pin

from chained_logging import AuditLog
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.ship.vouched import Vouched
from chained_logging.sinks import open_sink


@pytest.fixture
def key() -> Key:
    return Key()


def stored(path: Path) -> tuple[list[Record], list[StoredCheckpoint]]:
    sink = open_sink(path)
    try:
        return list(sink.records()), [one for _, one in sink.checkpoints()]
    finally:
        sink.close()


def make(path: Path, key: Key | None, count: int = 3, **given: Any) -> AuditLog:
    log = AuditLog(path, origin=ORIGIN, key=key, **given)
    for _ in range(count):
        log.append("a", **EVENT)
    return log


def judged(path: Path, public_key: bytes | None = None) -> Vouched:
    records, notes = stored(path)
    vouched = Vouched(ORIGIN, public_key)
    assert list(vouched.follow(records)) == records
    vouched.judge(notes, records)
    return vouched


def test_a_checkpoint_vouches_for_all_entries_before_it(path: Path, key: Key) -> None:
    log = make(path, key)
    log.checkpoint()
    log.append("b", **EVENT)
    vouched = judged(path, key.public_key)
    assert (vouched.entries, vouched.foreign, vouched.beyond) == (4, 0, 0)
    assert [one.size for one in vouched.checkpoints] == [4]
    log.close()


def test_a_signature_vouches_for_an_entry_and_all_before_it(path: Path, key: Key) -> None:
    log = make(path, key, sign="each")
    assert judged(path).entries == 4
    log.close()


def test_without_a_key_nothing_does(path: Path) -> None:
    make(path, None).close()
    vouched = judged(path)
    assert not vouched.has_key
    assert vouched.entries == 0


def test_another_first_key_is_refused(path: Path, key: Key) -> None:
    make(path, key).close()
    with pytest.raises(ValueError, match="first key is not the one"):
        judged(path, Key().public_key)


def test_a_log_without_the_key_that_was_given_is_refused(path: Path, key: Key) -> None:
    make(path, None).close()
    with pytest.raises(ValueError, match="names no key"):
        judged(path, key.public_key)


def test_checkpoints_of_others_are_foreign(tmp_path: Path, key: Key) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "other.jsonl"
    make(path, key).close()
    make(other, Key(), count=9).close()
    records, notes = stored(path)
    vouched = Vouched(ORIGIN)
    list(vouched.follow(records))
    vouched.judge([*notes, *stored(other)[1]], records)
    assert (vouched.entries, vouched.foreign, vouched.beyond) == (4, 1, 0)


def test_a_revoked_key_vouches_for_nothing_by_itself(path: Path, key: Key) -> None:
    log = make(path, key)
    log.checkpoint()
    new = Key()
    log.rotate_key(new)
    log.revoke_key(pin(key), "stolen")
    log.close()
    vouched = judged(path)
    assert vouched.foreign == 2  # what the old key signed
    assert [one.size for one in vouched.checkpoints] == [6]


def test_a_checkpoint_over_more_entries_than_there_are_is_named(path: Path, key: Key) -> None:
    make(path, key).close()
    records, notes = stored(path)
    vouched = Vouched(ORIGIN)
    list(vouched.follow(records[:2]))
    vouched.judge(notes, records[:2])
    assert (vouched.entries, vouched.beyond) == (0, 4)


def test_entries_that_were_rewritten_are_named(tmp_path: Path, key: Key) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "other.jsonl"
    make(path, key).close()
    make(other, key).close()
    records, _ = stored(path)
    vouched = Vouched(ORIGIN)
    list(vouched.follow(records))
    with pytest.raises(ValueError, match="rewritten"):
        vouched.judge(stored(other)[1], records)
