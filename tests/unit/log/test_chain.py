"""Appending to the chain: what waits comes first, and each entry follows the one before it."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from log_parts import actions, events, options, state_of

from chained_logging.errors import Busy
from chained_logging.event.draft import draft
from chained_logging.files.lock import FileLock
from chained_logging.format.record import Record
from chained_logging.log.backlog import Backlog
from chained_logging.log.chain import Chain
from chained_logging.log.membership import Membership
from chained_logging.log.recent import RecentHashes
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks import Notice


class Alone:
    """A membership of a log that nobody signs and nobody else writes to."""

    mute = False
    look_around = False


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    with state_of(path, "before") as state:
        yield state


@pytest.fixture
def backlog(state: State, tmp_path: Path) -> Backlog:
    backlog = Backlog(state, options(), tmp_path / "b.spill")
    backlog.spilled = False
    return backlog


@pytest.fixture
def chain(state: State, backlog: Backlog) -> Chain:
    signing = Signing(state, None, each=False)
    alone = cast(Membership, Alone())
    return Chain(state, options(), signing, alone, backlog, RecentHashes())


def test_entries_follow_the_head_and_are_counted(state: State, chain: Chain) -> None:
    head = state.sink.head()
    first, second = chain.append(events("a", "b"))
    assert (first.seq, second.seq) == (head.seq + 1, head.seq + 2)
    assert f'"prev_hash":"{head.hash}"'.encode() in first.body
    assert f'"prev_hash":"{first.hash}"'.encode() in second.body
    assert state.counts["appended"] == 2
    assert actions(state.sink.records(head.seq)) == ["before", "a", "b"]


def test_the_end_is_noted_in_the_lock_file_which_is_released(state: State, chain: Chain) -> None:
    (record,) = chain.append(events("a"))
    other = FileLock(state.file_lock.path)
    assert other.try_acquire()
    remembered = other.recall()
    other.close()
    assert remembered is not None
    assert remembered.head == (record.seq, record.hash)


def test_what_waits_comes_first(state: State, chain: Chain, backlog: Backlog) -> None:
    backlog.keep(OSError("the disk is full"), events("waited"))
    chain.append(events("a"))
    assert actions(state.sink.records())[1:] == ["before", "waited", "a"]


def test_a_notice_is_recorded_and_is_not_the_callers(state: State, chain: Chain) -> None:
    state.sink.notices.append(Notice("log.recover", {"cause": "a test"}))
    chain.append(events("a"))
    assert actions(state.sink.records())[1:] == ["before", "log.recover", "a"]
    assert state.counts["appended"] == 1
    assert not state.sink.notices


def test_a_failed_write_keeps_the_events(
    state: State, chain: Chain, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(records: Sequence[Record]) -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(state.sink, "write", full)
        with pytest.raises(OSError, match="full"):
            chain.append(events("a"))
    assert backlog.look()
    assert state.counts["appended"] == 0
    chain.append(events("b"))
    assert actions(state.sink.records())[1:] == ["before", "a", "b"]


def test_a_busy_log_keeps_nothing(state: State, chain: Chain, backlog: Backlog) -> None:
    other = FileLock(state.file_lock.path)
    other.acquire()
    state.file_lock.patience = 0
    with pytest.raises(Busy):
        chain.append(events("a"))
    assert not backlog.look()
    assert not backlog.waiting
    other.close()


def test_entries_that_were_cut_off_leave_a_gap(state: State, chain: Chain, tmp_path: Path) -> None:
    """Others wrote entries that this writer never saw, and the file was cut after that."""
    head = state.sink.head()
    other = FileLock(state.file_lock.path)
    other.acquire()
    other.note(head.seq + 5, "f" * 64)
    other.close()
    state.sink.notices.append(Notice("log.reopen", {"cause": "a test"}))
    (record,) = chain.append(events("a"))
    assert record.seq == head.seq + 7  # the notice has the position before it


def test_an_incomplete_event_is_counted(state: State, chain: Chain) -> None:
    chain.append([draft({"actor": "user-1"}, action="a")])
    assert state.counts["incomplete"] == 1
