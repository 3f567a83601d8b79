"""A clock may say anything, and a machine may not say when it was started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from chains import EVENT
from verifiers import check

import chained_logging.files.lock
from chained_logging import AuditLog


@pytest.mark.parametrize("seconds", [-(2**31), -1, 0, 253402300799, 253402300800, 2**48, -(10**12)])
def test_a_clock_that_says_anything_spoils_no_log(
    path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: seconds * 10**9)
            log.append("read", **EVENT)
        log.append("read", **EVENT)
    assert check(path).intact


@pytest.mark.parametrize("synced", [False, True])
def test_a_power_failure_on_a_machine_without_a_boot_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: bool
) -> None:
    monkeypatch.setattr(
        chained_logging.files.lock, "_boot_id", lambda: chained_logging.files.lock.UNKNOWN_BOOT
    )
    path, lock = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.lock"
    with AuditLog(path, sync_interval=1000) as log:
        log.append("read", **EVENT)
        size = path.stat().st_size
        before = lock.read_bytes()
        log.append("read", **EVENT)
        after = lock.read_bytes()
    os.truncate(path, size)  # what the disk had
    lock.write_bytes(after[:86] + (b"%020d" % 2 if synced else before[86:106]) + after[106:])
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    # What was on the disk cannot be lost by a power failure.
    assert check(path).status == ("tampered" if synced else "intact")
