"""Opening compares what it finds with what the lock file remembers, and records differences."""

from __future__ import annotations

from pathlib import Path

import pytest
from log_parts import state_of
from signed_logs import ORIGIN

from chained_logging.files.lock import Memory
from chained_logging.format.record import EMPTY, Head
from chained_logging.log.recovery import Recovery
from chained_logging.log.state import State

OTHER = "f" * 64


def memory_of(state: State, head: Head, *, synced: int = -1, boot: str | None = None) -> Memory:
    return Memory(head, synced, state.file_lock._boot if boot is None else boot, ORIGIN)


def test_the_name_in_the_log_wins_and_another_one_is_refused(path: Path) -> None:
    with state_of(path) as state:
        recovery, head = Recovery(state), state.sink.head()
        remembered = memory_of(state, head)._replace(origin="example.com/remembered")
        assert recovery.origin(remembered, head, None) == ORIGIN
        assert recovery.origin(remembered, EMPTY, None) == "example.com/remembered"
        assert recovery.origin(None, EMPTY, "example.com/given") == "example.com/given"
        with pytest.raises(ValueError, match="has the origin"):
            recovery.origin(None, head, "example.com/given")


def test_an_end_as_it_was_is_no_news(path: Path) -> None:
    with state_of(path, "a") as state:
        recovery, head = Recovery(state), state.sink.head()
        remembered = memory_of(state, head)
        assert not recovery.is_rewritten(remembered, head)
        assert recovery.end(remembered, head) == head
        assert recovery.end(None, head) == head
        assert not state.sink.notices


def test_a_last_entry_that_was_replaced_is_recorded(path: Path) -> None:
    with state_of(path, "a", "b") as state:
        recovery, head = Recovery(state), state.sink.head()
        assert recovery.is_rewritten(memory_of(state, Head(head.seq, OTHER)), head)
        assert recovery.is_rewritten(memory_of(state, Head(head.seq - 1, OTHER)), head)
        (notice, _) = state.sink.notices
        assert notice.action == "log.recover"
        assert notice.context["rewritten"] is True


def test_an_append_that_was_not_noted_before_a_kill_is_no_rewriting(path: Path) -> None:
    with state_of(path, "a", "b") as state:
        recovery, head = Recovery(state), state.sink.head()
        (before,) = [r for r in state.sink.records(1) if r.seq == 1]
        assert not recovery.is_rewritten(memory_of(state, Head(1, before.hash)), head)


def test_a_tail_cut_off_leaves_a_gap(path: Path) -> None:
    with state_of(path, "a") as state:
        recovery, found = Recovery(state), state.sink.head()
        remembered = Head(found.seq + 3, OTHER)
        assert recovery.end(memory_of(state, remembered), found) == remembered
        (notice,) = state.sink.notices
        assert notice.context["lost"] == 3
        assert "had been written" in str(notice.context["cause"])


def test_after_a_restart_of_the_machine_the_chain_goes_on_without_a_gap(path: Path) -> None:
    with state_of(path, "a") as state:
        recovery, found = Recovery(state), state.sink.head()
        remembered = memory_of(state, Head(found.seq + 3, OTHER), boot="another")
        assert recovery.end(remembered, found) == found
        (notice,) = state.sink.notices
        assert notice.context["lost"] == 3
        assert "restarted" in str(notice.context["cause"])


def test_the_end_is_noted_for_the_next_opening(path: Path) -> None:
    with state_of(path, "a") as state:
        Recovery(state).note_end(ORIGIN)
        state.file_lock.acquire()
        remembered = state.file_lock.recall()
        assert remembered is not None
        assert remembered.head == state.sink.head()
        assert remembered.origin == ORIGIN


def test_a_rewriting_stays_remembered_until_it_is_recorded(path: Path) -> None:
    with state_of(path, "a") as state:
        recovery, head = Recovery(state), state.sink.head()
        state.file_lock.acquire()
        remembered = memory_of(state, Head(head.seq, OTHER))
        recovery.remember(remembered, head, ORIGIN, rewritten=True)
        noted = state.file_lock.recall()
        assert noted is not None
        assert noted.head.hash == OTHER
        recovery.remember(remembered, head, ORIGIN, rewritten=False)
        noted = state.file_lock.recall()
        assert noted is not None
        assert noted.head == head
