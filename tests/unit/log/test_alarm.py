"""The program hears that events are kept, and that the log works again: each of them once."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_parts import events, options, state_of

from chained_logging.diagnostics import AuditWarning
from chained_logging.log.alarm import Alarm
from chained_logging.log.backlog import Backlog
from chained_logging.log.state import State

FULL = OSError(errno.ENOSPC, "the disk is full")


@pytest.fixture
def state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[State]:
    caplog.set_level(logging.INFO, "chained_logging")
    with state_of(tmp_path / "audit.jsonl") as state:
        yield state


def alarm_of(state: State, spill: Path) -> tuple[Alarm, Backlog]:
    backlog = Backlog(state, options(), spill)
    backlog.spilled = False
    return Alarm(state, backlog), backlog


def raise_for(alarm: Alarm) -> None:
    with pytest.warns(AuditWarning, match="the disk is full"):
        alarm.raise_for(FULL, stacklevel=1)


def test_each_call_warns_and_the_log_record_comes_once(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarm, backlog = alarm_of(state, tmp_path / "b.spill")
    backlog.keep(FULL, events("a"))
    raise_for(alarm)
    raise_for(alarm)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "on the disk" in record.getMessage()
    assert alarm.raised


def test_what_is_in_memory_alone_is_an_error(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarm, backlog = alarm_of(state, tmp_path / "gone" / "b.spill")
    backlog.keep(FULL, events("a"))
    raise_for(alarm)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "in memory" in record.getMessage()


def test_losses_are_reported_at_once_and_then_each_time_they_are_ten_times_as_many(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarm, _ = alarm_of(state, tmp_path / "b.spill")
    for dropped in (1, 2, 9, 10, 50, 100):
        state.counts["dropped"] = dropped
        raise_for(alarm)
    lost = [r.getMessage() for r in caplog.records if "lost" in r.getMessage()]
    assert [int(text.split(" events were lost")[0].split()[-1]) for text in lost] == [1, 10, 100]


def test_the_end_is_told_when_nothing_waits_any_more(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarm, backlog = alarm_of(state, tmp_path / "b.spill")
    alarm.end()
    assert not caplog.records  # nothing was told before
    backlog.keep(FULL, events("a"))
    raise_for(alarm)
    alarm.end()
    assert len(caplog.records) == 1
    assert alarm.raised
    backlog.spilled = False
    alarm.end()
    alarm.end()
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]
