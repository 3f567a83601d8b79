"""What a log knows of what a destination holds under its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import EMPTY, Head, StoredCheckpoint
from chained_logging.ship.ours import OurLog
from chained_logging.sinks.checkpoints import sign

REMEMBERED = Head(99, "f" * 64)


@pytest.fixture
def key() -> Key:
    return Key()


@pytest.fixture
def log(tmp_path: Path, key: Key) -> Iterator[AuditLog]:
    with AuditLog(tmp_path / "a.jsonl", origin=ORIGIN, key=key) as log:
        log.append("a", **EVENT)
        log.checkpoint()
        yield log


@pytest.fixture
def ours(log: AuditLog) -> OurLog:
    return OurLog(log, lambda: REMEMBERED)


def stored(log: AuditLog) -> StoredCheckpoint:
    ((_, checkpoint),) = log.checkpoints_after()
    return checkpoint


def test_it_holds_its_entries_and_what_is_remembered(log: AuditLog, ours: OurLog) -> None:
    first, second = log.records()
    assert ours.size() == 2
    assert ours.reached() == REMEMBERED
    for head in (EMPTY, REMEMBERED, Head(0, first.hash), Head(1, second.hash)):
        assert ours.holds(head), head
    for head in (Head(0, second.hash), Head(2, first.hash)):
        assert not ours.holds(head), head


def test_its_key_signed_its_checkpoint_and_no_other_key(log: AuditLog, ours: OurLog) -> None:
    tree = Frontier()
    tree.append(bytes(32))
    assert ours.has_key()
    assert len(ours.keys()) == 1
    assert ours.signed(stored(log))
    assert ours.made(stored(log))
    assert not ours.signed(sign(tree, ORIGIN, Key()))
    assert not ours.signed(stored(log)._replace(size=1))


def test_a_log_without_a_key_signed_nothing(tmp_path: Path, log: AuditLog) -> None:
    with AuditLog(tmp_path / "b.jsonl", origin=ORIGIN) as plain:
        ours = OurLog(plain, lambda: EMPTY)
        assert not ours.has_key()
        assert ours.keys() == []
        assert not ours.made(stored(log))


def test_a_checkpoint_of_its_key_over_other_entries_does_not_agree(
    log: AuditLog, ours: OurLog, key: Key
) -> None:
    tree = Frontier()
    for _ in range(2):
        tree.append(bytes(32))
    other = sign(tree, ORIGIN, key)
    assert ours.agrees(stored(log))
    assert ours.signed(other)
    assert not ours.agrees(other)
    assert not ours.agrees(stored(log)._replace(note="no note"))


def test_what_a_broken_log_has_before_the_break_counts(log: AuditLog, ours: OurLog) -> None:
    with open(log.path, "ab") as file:
        file.write(b"no entry\n")
    assert ours.has_key()
    assert ours.agrees(stored(log))
    assert not ours.holds(Head(2, "a" * 64))
