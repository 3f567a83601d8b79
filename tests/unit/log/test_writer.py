"""A call waits for the log as long as it may, and then keeps its event."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from chains import EVENT
from log_parts import actions, events
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.errors import Busy
from chained_logging.files.lock import FileLock


def opened(path: Path, tmp_path: Path, **given: float) -> AuditLog:
    return AuditLog(
        path,
        origin=ORIGIN,
        sync_interval=60,
        spill=tmp_path / "b.spill",
        **given,  # type: ignore[arg-type]
    )


def stored(log: AuditLog) -> list[str]:
    return actions(log._parts.state.sink.records())


def holder(log: AuditLog) -> FileLock:
    lock = FileLock(log._parts.state.file_lock.path)
    lock.acquire()
    return lock


def test_an_event_loop_waits_less(path: Path, tmp_path: Path) -> None:
    async def patience(log: AuditLog) -> float:
        return log._parts.writer.patience()

    with opened(path, tmp_path, timeout=7) as log:
        assert log._parts.writer.patience() == 7
        assert asyncio.run(patience(log)) == 0.05
    with opened(path, tmp_path, timeout=0.01) as log:
        assert asyncio.run(patience(log)) == 0.01


def test_a_log_that_is_free_in_time_gets_the_event(path: Path, tmp_path: Path) -> None:
    with opened(path, tmp_path, timeout=10) as log:
        other = holder(log)
        timer = threading.Timer(0.1, other.release)
        timer.start()
        (record,) = log._parts.writer.store(events("a"))
        assert record.seq == 1
        timer.join()
        other.close()


def test_after_one_wait_in_vain_the_next_call_does_not_wait(path: Path, tmp_path: Path) -> None:
    with opened(path, tmp_path, timeout=1) as log:
        writer, other = log._parts.writer, holder(log)
        with pytest.raises(Busy):
            writer.store(events("a"))
        assert log._parts.state.stalled
        begun = time.monotonic()
        with pytest.raises(Busy):
            writer.store(events("b"))
        assert time.monotonic() - begun < 0.9
        other.close()
        writer.store(events("c"))
        assert stored(log) == ["log.open", "a", "b", "c"]
        assert not log._parts.state.stalled


def test_an_event_in_the_middle_of_an_append_comes_after_it(path: Path, tmp_path: Path) -> None:
    with opened(path, tmp_path) as log:
        writer, sink = log._parts.writer, log._parts.state.sink
        write, nested = sink.write, events("nested")

        def interrupted(records: object) -> None:
            if nested:
                assert writer.store([nested.pop()]) == []
            write(records)  # type: ignore[arg-type]

        sink.write = interrupted  # type: ignore[method-assign]
        writer.store(events("a"))
        assert stored(log) == ["log.open", "a", "nested"]


def test_under_fsync_a_call_returns_once_it_is_synced(path: Path, tmp_path: Path) -> None:
    with AuditLog(path, origin=ORIGIN, durability="fsync", sync_interval=60) as log:
        log.append("a", **EVENT)
        assert log.stats()["syncs"] == 1
    with opened(path, tmp_path) as log:
        log.append("b", **EVENT)
        assert log.stats()["syncs"] == 0
        log._parts.writer.flush()
        assert log.stats()["syncs"] == 1


def test_a_failed_sync_is_recorded_and_not_repeated(path: Path, tmp_path: Path) -> None:
    with opened(path, tmp_path) as log:
        sink = log._parts.state.sink
        sync, failed = sink.sync, [OSError("the disk failed")]

        def fail() -> None:
            if failed:
                raise failed.pop()
            sync()

        sink.sync = fail  # type: ignore[method-assign]
        log.append("a", **EVENT)
        with pytest.raises(OSError, match="the disk failed"):
            log._parts.writer.flush()
        assert "a sync failed" in str(log.stats()["last_error"])
        log.append("b", **EVENT)
        assert stored(log) == ["log.open", "a", "log.recover", "b"]
