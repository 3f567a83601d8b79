"""What a log with a key can be asked for: checkpoints, and other keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key, pin

from chained_logging import AuditLog


def test_a_checkpoint_of_an_unchanged_log_is_the_last_one(path: Path) -> None:
    with AuditLog(path, key=Key()) as log:
        assert log.checkpoint() == log.checkpoint()
        first = log.checkpoint()
        log.append("a", **EVENT)
        assert log.checkpoint() != first


def test_checkpoints_are_read_in_their_order_and_from_a_mark_on(path: Path) -> None:
    with AuditLog(path, key=Key()) as log:
        for _ in range(3):
            log.append("a", **EVENT)
            log.checkpoint()
        assert [one.size for one in log.checkpoints()] == [2, 3, 4]
        assert [one.size for one in log.own_checkpoints()] == [2, 3, 4]
        marks = [mark for mark, _ in log.checkpoints_after()]
        assert [one.size for _, one in log.checkpoints_after(marks[0])] == [3, 4]
        last = log.last_checkpoint()
    assert last is not None
    assert last.size == 4


def test_a_checkpoint_that_others_signed_is_kept_once_more(path: Path) -> None:
    with AuditLog(path, key=Key()) as log:
        log.append("a", **EVENT)
        note = log.checkpoint()
        log.keep_anchored(note, "dGltZQ==")
        assert [one.timestamp for one in log.checkpoints()] == [None, "dGltZQ=="]
        with pytest.raises(ValueError, match="does not have this checkpoint"):
            log.keep_anchored(note.replace(b"\n2\n", b"\n3\n"))


def test_a_key_is_changed_and_revoked_by_entries(path: Path) -> None:
    old, new = Key(), Key()
    with AuditLog(path, key=old, origin=ORIGIN) as log:
        log.append("a", **EVENT)
        log.rotate_key(new)
        log.revoke_key(pin(old), "stolen")
        actions = [entry.action for entry in log.entries()]
        assert actions == ["log.open", "a", "key.rotate", "key.revoke"]
        with pytest.raises(ValueError, match="never had the key"):
            log.revoke_key(pin(Key()), "stolen")


def test_a_log_without_a_key_signs_nothing(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        assert log.last_checkpoint() is None
        with pytest.raises(ValueError, match="needs a key"):
            log.checkpoint()
        with pytest.raises(ValueError, match="has no key"):
            log.rotate_key(Key())
