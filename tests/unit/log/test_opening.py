"""Opening finds the chain's end, or leaves nothing open behind it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions, events
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.errors import Busy, LogClosed
from chained_logging.files.lock import PATIENCE

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/fd")


def test_a_new_log_begins_with_its_genesis(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        (record,) = log._parts.state.sink.records()
        assert log.origin == ORIGIN
        assert actions([record]) == ["log.open"]
        assert b'"format":1' in record.body
        assert b'"software":"chained_logging ' in record.body


def test_a_log_without_a_given_name_gets_one_that_stays(path: Path) -> None:
    with AuditLog(path) as log:
        name = log.origin
    assert name.startswith("chained-logging/")
    with AuditLog(path) as log:
        assert log.origin == name


@linux
def test_what_is_refused_leaves_no_file_open(path: Path) -> None:
    AuditLog(path, origin=ORIGIN).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(ValueError, match="origin"):
            AuditLog(path, origin="example.com/other")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_call_waits_less_than_opening_does(path: Path) -> None:
    with AuditLog(path) as log:
        assert log._parts.state.file_lock.patience == PATIENCE


def test_only_a_resting_log_wakes(path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN)
    log.rest()
    log.append("a", **EVENT)
    log.close()
    with pytest.raises(LogClosed):
        log.append("b", **EVENT)
    with AuditLog(path) as log:
        assert actions(log._parts.state.sink.records()) == ["log.open", "a"]


def test_a_log_that_is_being_closed_is_busy(path: Path) -> None:
    log = AuditLog(path, origin=ORIGIN)
    log.rest()
    log._parts.state.released = False
    with pytest.raises(Busy, match="is being closed"):
        log._parts.opening.wake(events("a"))
    log._parts.state.released = True
    log.close()


def test_a_log_that_cannot_be_woken_keeps_the_event(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "audit.jsonl"
    path.parent.mkdir()
    log = AuditLog(path, origin=ORIGIN, spill=tmp_path / "b.spill")
    log.rest()
    path.parent.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        log._parts.opening.wake(events("a"))
    (tmp_path / "elsewhere").rename(path.parent)
    log.append("b", **EVENT)
    assert actions(log._parts.state.sink.records()) == ["log.open", "a", "b"]
    log.close()
