"""Removing from an open log: piece by piece, and asked again when something changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from log_parts import state_of
from retention_logs import stubs

from chained_logging.format.record import Record
from chained_logging.log.purging import Purging
from chained_logging.log.state import State
from chained_logging.sinks.removal import MayGo, Named


class Changing:
    """A guard that first lets all go, and then, at its second look, no second entry."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.looks = 0

    def refresh(self) -> bool:
        self.looks += 1
        return self.looks == 2

    def may_go(self, record: Record) -> bool:
        self.asked.append(record.seq)
        return self.looks < 2 or record.seq % 2 == 0


class Piece:
    """A piece of work, on nothing."""

    def __init__(self, state: State, seq: int) -> None:
        self.state, self.seq, self.prepared = state, seq, 0

    def prepare(self, may_go: MayGo) -> None:
        assert not self.state.file_lock.held
        self.prepared += 1

    def commit(self, may_go: MayGo) -> int:
        assert self.state.file_lock.held
        return int(may_go(Record(self.seq, b"", "")))


def test_each_piece_is_asked_about_under_the_lock_and_again_after_a_change(path: Path) -> None:
    with state_of(path, "a") as state:
        pieces = [Piece(state, seq) for seq in range(1, 5)]

        def removals(named: Named) -> Iterator[Piece]:
            assert named == [(1, 4)]
            yield from pieces

        state.sink.removals = removals  # type: ignore[assignment, method-assign]
        seen: list[int] = []
        guard = Changing()
        assert Purging(state).remove([(1, 4)], guard, seen.append) == 3
        assert seen == [1, 2, 2, 3]
        assert [piece.prepared for piece in pieces] == [1, 2, 1, 1]
        assert guard.asked == [1, 2, 3, 4]
        Purging(state).give_back(guard)
    assert not stubs(path)
