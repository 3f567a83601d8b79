"""What the log cannot take waits on the disk, or in memory, and comes into the log once."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_parts import actions, events, options, state_of

from chained_logging.errors import Busy
from chained_logging.event.draft import Draft
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record
from chained_logging.log import backlog as module
from chained_logging.log.backlog import Backlog
from chained_logging.log.own_entries import own_draft
from chained_logging.log.state import State
from chained_logging.sinks import Notice

FULL = OSError(errno.ENOSPC, "the disk is full")


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    with state_of(path) as state:
        yield state


class Writing:
    """Chains events to a head and writes them, unless the disk is full."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.full_after = 10**6

    def __call__(self, drafts: list[Draft], head: Head) -> list[Record]:
        if len(drafts) > self.full_after:
            raise FULL
        self.full_after -= len(drafts)
        records = []
        for event in drafts:
            body = event.body(head.seq + 1, head.hash)
            head = Head(head.seq + 1, leaf_hash(body))
            records.append(Record(head.seq, body, head.hash, None))
        self.state.sink.write(records)
        return records


def make(state: State, spill: Path, **given: str) -> Backlog:
    backlog = Backlog(state, options(**given), spill)
    backlog.spilled = False
    return backlog


def chained(state: State) -> list[str]:
    return actions(state.sink.records())[1:]


def test_events_wait_in_the_spill_file(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "b.spill")
    backlog.keep(FULL, events("a", "b"))
    assert backlog.spilled
    assert not backlog.waiting
    assert (state.counts["failed"], state.counts["spilled"]) == (2, 2)
    assert state.last_error == str(FULL)
    backlog.chain(state.sink.head(), Writing(state))
    assert chained(state) == ["a", "b"]
    assert not backlog.spilled
    assert not (tmp_path / "b.spill").exists()


def test_what_no_file_takes_waits_in_memory_and_keeps_its_order(
    state: State, tmp_path: Path
) -> None:
    spill = tmp_path / "gone" / "b.spill"
    backlog = make(state, spill)
    backlog.keep(FULL, events("a"))
    backlog.keep(FULL, events("b"))
    assert len(backlog.waiting) == 2
    spill.parent.mkdir()
    backlog.keep(FULL, events("c"))  # the file takes all three
    assert not backlog.waiting
    assert state.counts["spilled"] == 3
    backlog.chain(state.sink.head(), Writing(state))
    assert chained(state) == ["a", "b", "c"]


def test_memory_is_bounded_and_the_newest_are_dropped(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MEMORY_LIMIT", 3)
    backlog = make(state, tmp_path / "gone" / "b.spill")
    backlog.keep(FULL, events("a", "b"))
    backlog.keep(FULL, events("c", "d", "e"))
    assert state.counts["dropped"] == 2
    backlog.chain(state.sink.head(), Writing(state))
    assert chained(state) == ["a", "b", "c"]


def test_what_the_caller_gets_to_see_is_not_kept(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "b.spill", on_failure="raise")
    backlog.keep(FULL, events("a"))
    assert state.counts["failed"] == 1
    assert not backlog.waiting
    assert not backlog.look()


def test_an_entry_in_the_logs_name_is_never_kept(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "b.spill")
    own = own_draft(Notice("log.heartbeat", {}), state.origin)
    assert own.fields["actor_id"] == OURSELVES
    backlog.keep(FULL, [own])
    assert not backlog.waiting
    assert not backlog.look()


def test_a_failure_in_the_middle_leaves_the_rest_and_repeats_nothing(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    backlog, write = make(state, tmp_path / "b.spill"), Writing(state)
    backlog.keep(FULL, events("a", "b", "c", "d", "e"))
    write.full_after = 2
    with pytest.raises(OSError, match="full"):
        backlog.chain(state.sink.head(), write)
    assert backlog.spilled
    assert chained(state) == ["a", "b"]
    write.full_after = 10
    make(state, tmp_path / "b.spill").chain(state.sink.head(), write)  # also another process
    assert chained(state) == ["a", "b", "c", "d", "e"]


def test_lines_that_are_not_events_are_set_aside_and_recorded(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "b.spill")
    backlog.keep(FULL, events("a"))
    with open(tmp_path / "b.spill", "ab") as file:
        file.write(b"junk\n")
    backlog.chain(state.sink.head(), Writing(state))
    assert chained(state) == ["a"]
    (notice,) = state.sink.notices
    assert notice.action == "log.recover"
    assert (tmp_path / str(notice.context["kept_in"])).read_bytes() == b"junk\n"


def test_what_is_logged_in_the_middle_of_an_append_comes_after_it(
    state: State, tmp_path: Path
) -> None:
    backlog = make(state, tmp_path / "gone" / "b.spill")
    backlog.defer(events("a"))
    backlog.defer(events("b"))
    taken: list[str] = []

    def append(drafts: list[Draft]) -> None:
        taken.extend(event.fields["action"] for event in drafts)

    backlog.chain_all_deferred(append, lambda: bool(backlog.deferred) or backlog.spilled)
    assert taken == ["a", "b"]
    assert not backlog.deferred


def test_a_busy_log_keeps_what_was_deferred(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "gone" / "b.spill")
    backlog.defer(events("a"))

    def append(drafts: list[Draft]) -> None:
        raise Busy("somebody else holds the log")

    with pytest.raises(Busy):
        backlog.chain_deferred(append)
    assert len(backlog.deferred) == 1
    backlog.keep_deferred(Busy("still"))
    assert len(backlog.waiting) == 1
    assert not backlog.deferred


def test_a_forked_child_forgets_what_is_in_memory(state: State, tmp_path: Path) -> None:
    backlog = make(state, tmp_path / "gone" / "b.spill")
    backlog.keep(FULL, events("a"))
    backlog.afresh()
    assert not backlog.waiting
    assert backlog.spilled  # until somebody has looked
