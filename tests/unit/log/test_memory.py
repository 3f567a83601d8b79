"""Events in memory are chained once, though an attempt may break off anywhere."""

from __future__ import annotations

from pathlib import Path

from log_parts import events, state_of

from chained_logging.event.draft import Draft
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.log.memory import Memory
from chained_logging.log.state import State


def write(state: State, drafts: list[Draft]) -> None:
    for event in drafts:
        head = state.sink.head()
        body = event.body(head.seq + 1, head.hash)
        state.sink.write([Record(head.seq + 1, body, leaf_hash(body), None)])


def test_the_oldest_come_first_and_are_removed_when_they_are_chained(path: Path) -> None:
    with state_of(path) as state:
        memory = Memory(state)
        memory.drafts += (waiting := events("a", "b", "c"))
        assert list(memory.attempt(2)) == waiting[:2]
        memory.remove(2)
        assert memory.drafts == waiting[2:]
        assert len(memory) == 1
        assert not memory.broken_off


def test_what_a_broken_attempt_chained_is_not_chained_again(path: Path) -> None:
    with state_of(path) as state:
        state.seq = state.sink.head().seq
        memory = Memory(state)
        memory.drafts += (waiting := events("a", "b", "c"))
        write(state, list(memory.attempt(3))[:2])  # and then a signal handler raises
        assert memory.broken_off
        assert list(memory.attempt(3)) == waiting[2:]
