"""When a checkpoint is due, and which stored ones count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.errors import BrokenLog, KeyMissing
from chained_logging.format.record import StoredCheckpoint
from chained_logging.log.checkpoints import Checkpoints


def checkpoints_of(log: AuditLog) -> Checkpoints:
    return log._parts.checkpoints


def opened(path: Path, key: Key | None, **given: Any) -> AuditLog:
    return AuditLog(path, origin=ORIGIN, key=key, sync_interval=60, **given)


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def log(path: Path, key: Key) -> Iterator[AuditLog]:
    with opened(path, key, checkpoint_every=3, checkpoint_interval=60) as log:
        yield log


def stored(log: AuditLog) -> list[int]:
    return [one.size for one in checkpoints_of(log).stored()]


def due(log: AuditLog) -> None:
    checkpoints_of(log).make_due(log._parts.state.sink.head())


def test_one_is_due_after_a_number_of_entries(log: AuditLog) -> None:
    log.append("a", **EVENT)
    due(log)
    assert stored(log) == []
    log.append("a", **EVENT)
    due(log)
    assert stored(log) == [3]
    due(log)
    assert stored(log) == [3]


def test_one_is_due_after_some_time_if_there_are_new_entries(
    path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path, key, checkpoint_interval=50) as log:
        due(log)
        assert stored(log) == []
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 51)
        due(log)
        assert stored(log) == [1]
        monkeypatch.setattr(time, "monotonic", lambda: now + 102)
        due(log)
        assert stored(log) == [1]  # nothing new


def test_without_a_key_none_is_made(path: Path) -> None:
    with opened(path, None, checkpoint_every=1) as log:
        log.append("a", **EVENT)
        due(log)
        assert stored(log) == []
        with pytest.raises((KeyMissing, ValueError), match="key"):
            log.checkpoint()


def test_an_unchanged_log_gets_the_same_one(log: AuditLog) -> None:
    assert log.checkpoint() == log.checkpoint()
    assert stored(log) == [1]


def test_one_that_another_key_signed_does_not_count(log: AuditLog, tmp_path: Path) -> None:
    ours = log.checkpoint()
    with opened(tmp_path / "other.jsonl", Key()) as other:
        for _ in range(3):
            other.append("a", **EVENT)
        other.checkpoint()
        (theirs,) = checkpoints_of(other).stored()
    with log._parts.state.held():
        log._parts.state.sink.add_checkpoint(theirs)
    kept = checkpoints_of(log).kept()
    assert kept is not None
    assert kept.note.encode() == ours
    assert log.checkpoint() == ours


def test_one_over_more_entries_than_there_are_stops_signing(tmp_path: Path, key: Key) -> None:
    path = tmp_path / "audit.jsonl"
    with opened(path, key) as log:
        log.append("a", **EVENT)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (tmp_path / "audit.jsonl.lock").unlink()
    with opened(path, key) as log, pytest.raises(BrokenLog, match="the end was cut off"):
        log.checkpoint()


def test_the_larger_of_the_kept_and_our_own_is_continued(log: AuditLog) -> None:
    """So deleting the stored one does not help an attacker."""
    log.append("a", **EVENT)
    log.checkpoint()
    checkpoints = checkpoints_of(log)
    newest = checkpoints.newest
    assert newest is not None
    smaller = StoredCheckpoint("", newest.size - 1, "", None)
    larger = StoredCheckpoint("", newest.size + 1, "", None)
    assert checkpoints.newer(None) is newest
    assert checkpoints.newer(smaller) is newest
    assert checkpoints.newer(larger) is larger


def test_signatures_of_others_are_kept_only_for_a_checkpoint_that_is_here(log: AuditLog) -> None:
    note = log.checkpoint()
    checkpoints_of(log).keep_anchored(note + b"\xe2\x80\x94 w.example/w AAAAAAAA\n", None)
    assert stored(log) == [1, 1]
    with pytest.raises(ValueError, match="does not have this checkpoint"):
        checkpoints_of(log).keep_anchored(note.replace(b"\n1\n", b"\n2\n"), None)
