"""A clock may say anything, and a machine may not say when it was started."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from chains import EVENT
from entry_bodies import UUID7
from hypothesis import given
from hypothesis import strategies as st
from verifiers import check

import chained_logging.files.lock
from chained_logging import AuditLog
from chained_logging.event.clock import timestamp, uuid7


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


def test_uuid7() -> None:
    now = 1_767_323_045_123_456_789
    ids = [uuid7(now) for _ in range(2000)]
    assert len(set(ids)) == 2000
    for text in ids:
        assert UUID7.fullmatch(text)
        assert uuid.UUID(text).int >> 80 == now // 1_000_000
        assert uuid.UUID(text).variant == uuid.RFC_4122
    # Each of the 74 random bits is one, and is zero, somewhere.
    random = ((1 << 62) - 1) | (0xFFF << 64)
    ones = zeros = 0
    for text in ids:
        ones |= uuid.UUID(text).int
        zeros |= ~uuid.UUID(text).int
    assert ones & random == zeros & random == random


FORK = """
import os, time
from chained_logging.event.clock import uuid7
now = time.time_ns()
ids = [uuid7(now)]
pipes = []
for _ in range(4):
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, "\\n".join(uuid7(now) for _ in range(300)).encode())
        os._exit(0)
    os.close(w)
    pipes.append(r)
ids += [uuid7(now) for _ in range(300)]
for r in pipes:
    with open(r) as file:
        ids += file.read().split()
assert len(ids) == 1501, len(ids)
assert len(set(ids)) == 1501, len(set(ids))
"""


def test_forked_children_make_ids_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_timestamp_of_the_clock(now: int) -> None:
    text = timestamp(now)
    assert len(text) == 27
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=now // 1000)
    assert dt.datetime.fromisoformat(text) == moment
