"""The lock of a log, and what its file remembers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chained_logging.errors import Busy, ForeignFile
from chained_logging.files.lock import UNKNOWN_BOOT, FileLock, Memory
from chained_logging.format.record import EMPTY, Head

HEAD = Head(7, "a" * 64)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[FileLock]:
    lock = FileLock(tmp_path / "audit.lock", patience=0.05)
    yield lock
    lock.close()


def test_one_at_a_time(lock: FileLock) -> None:
    other = FileLock(lock.path, patience=0.05)
    lock.acquire()
    assert not other.try_acquire()
    with pytest.raises(Busy, match="another process holds"):
        other.acquire()
    lock.release()
    other.acquire()
    other.close()


def test_without_a_limit_it_waits(lock: FileLock) -> None:
    lock.acquire()
    timer = threading.Timer(0.1, lock.release)
    timer.start()
    other, begun = FileLock(lock.path), time.monotonic()
    other.acquire()
    assert time.monotonic() - begun > 0.05
    other.close()


def test_a_deleted_file_keeps_nobody_out(lock: FileLock) -> None:
    lock.acquire()
    lock.release()
    lock.path.unlink()
    other = FileLock(lock.path, patience=0)
    other.acquire()
    with pytest.raises(Busy):
        lock.acquire()  # on the new file
    other.close()
    lock.acquire()


def test_a_renamed_file_is_noticed(lock: FileLock) -> None:
    lock.acquire()
    assert not lock.moved()
    lock.path.rename(lock.path.with_name("elsewhere"))
    assert lock.moved()


def test_a_link_is_refused(lock: FileLock, tmp_path: Path) -> None:
    lock.path.symlink_to(tmp_path / "other")
    with pytest.raises(ForeignFile):
        lock.acquire()


def test_what_it_remembers(lock: FileLock) -> None:
    lock.acquire()
    assert lock.recall() is None
    lock.introduce(EMPTY, -1, "example.com/a")
    found = lock.recall()
    assert found is not None
    assert (found.head, found.synced, found.origin) == (EMPTY, -1, "example.com/a")
    lock.note(*HEAD)
    lock.note_synced(5)
    found = lock.recall()
    assert found is not None
    assert (found.head, found.synced, found.origin) == (HEAD, 5, "example.com/a")


@pytest.mark.parametrize(
    "edit",
    [b"junk", b"x" * 200, b"%020d %s" % (7, b"G" * 64), b"%020d %s" % (1 << 60, b"a" * 64)],
)
def test_what_no_log_writes_is_not_believed(lock: FileLock, edit: bytes) -> None:
    lock.acquire()
    lock.introduce(HEAD, 5, "example.com/a")
    os.pwrite(lock._fd, edit, 0)
    assert lock.recall() is None


def test_a_restart_is_told_from_tampering(lock: FileLock) -> None:
    here = Memory(HEAD, 5, lock._boot, "")
    before = here._replace(boot="another")
    assert not lock.restarted(here)
    assert lock.restarted(before)
    assert not lock.may_have_lost(here, 6)
    assert lock.may_have_lost(before, 6)
    lock._boot = UNKNOWN_BOOT  # a system that does not tell
    unknown = here._replace(boot=UNKNOWN_BOOT)
    assert lock.restarted(unknown)
    assert lock.may_have_lost(unknown, 6)
    assert not lock.may_have_lost(unknown, 4)  # that was on the disk
