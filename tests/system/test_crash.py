"""Writers that are killed: see crash.py. CRASH_ROUNDS=200 runs as many a combination."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest
from chains import EVENT, check_chain
from crash import (
    COMBINATIONS,
    Bug,
    Found,
    Harness,
    acknowledged_before_written,
    fresh_seed,
    lock_after_last_hash,
    lock_moved_by_rotation,
)
from thorough import some

from chained_logging import AuditEntry, AuditLog

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "8"))


@pytest.mark.parametrize("combination", some(COMBINATIONS, 2))
def test_a_kill_loses_nothing_acknowledged(combination: str, tmp_path: Path) -> None:
    harness = Harness(tmp_path, combination, fresh_seed())
    totals = harness.run(ROUNDS)
    print(dict(totals))
    assert totals["rounds"] == ROUNDS
    assert totals["acknowledged"] > 5 * ROUNDS  # or it checked next to nothing
    if combination.startswith("rotated"):
        assert totals["segments"] > 0


# What a bug looks like from outside: on a database a fork of the chain is refused by the
# database, so that it shows as a writer that fails. A chain that forks may also bring writers
# to say so themselves. And where the lock file remembers an entry that was never written, the
# next writer leaves a gap in the chain on purpose.
@pytest.mark.parametrize(
    ("bug", "combination", "kinds"),
    [
        (lock_after_last_hash, "jsonl-os", {"chain", "failed", "lost"}),
        (lock_after_last_hash, "jsonl-fsync", {"chain", "failed", "lost"}),
        (lock_after_last_hash, "db-os", {"failed"}),
        (lock_moved_by_rotation, "rotated-os", {"chain", "failed", "lost"}),
        (lock_moved_by_rotation, "rotated-fsync", {"chain", "failed", "lost"}),
        (acknowledged_before_written, "jsonl-os", {"lost", "chain"}),
        (acknowledged_before_written, "jsonl-fsync", {"lost", "chain"}),
        (acknowledged_before_written, "db-os", {"lost", "chain"}),
        (acknowledged_before_written, "db-fsync", {"lost", "chain"}),
    ],
)
def test_a_bug_put_in_on_purpose_is_found(
    bug: Bug, combination: str, kinds: set[str], tmp_path: Path
) -> None:
    seed = fresh_seed()
    folders = [tmp_path / name for name in ("with", "without")]
    for folder in folders:
        folder.mkdir()
    # A few rounds do. The bound is for a machine where the kill never comes in time.
    buggy = Harness(folders[0], combination, seed, bug)
    with pytest.raises(Found) as found:
        buggy.run(100)
    print(str(found.value)[-500:])
    assert found.value.kind in kinds, found.value
    # The same choices without it: it is the bug that was found, and not the harness.
    rounds = buggy.totals["rounds"] + 1
    assert Harness(folders[1], combination, seed).run(rounds)["rounds"] == rounds


# What the harness found in the package, at a place that is certain.


def test_a_sync_comes_in_the_middle_of_sealing(tmp_path: Path) -> None:
    # As the log's own thread does, while another one seals: for a moment no file is open.
    with AuditLog(tmp_path / "audit.jsonl", max_bytes=1500, sync_interval=1000) as log:
        sink = log._sink
        reopen, syncs = sink._reopen, []

        def sync_first() -> object:
            sink.sync()
            syncs.append(None)
            return reopen()

        sink._reopen = sync_first
        for n in range(9):
            log.append(f"a-{n}", **EVENT)
        assert syncs


def test_a_sync_that_was_interrupted_is_none(path: Path) -> None:
    with AuditLog(path, sync_interval=1000) as log:
        log.append("a", **EVENT)
        sync, syncs = log._sink.sync, []

        def interrupted() -> None:
            syncs.append(None)
            if len(syncs) == 1:
                raise KeyboardInterrupt
            sync()

        log._sink.sync = interrupted
        with pytest.raises(KeyboardInterrupt):
            log.flush()
        log.flush()
        assert len(syncs) == 2


def test_a_forked_writer_sees_what_others_write(path: Path) -> None:
    # A database tells by a number whether others wrote. The parent's number is not the child's,
    # and may be the very one that the child's would be after somebody wrote.
    for count in range(4):
        name = path.with_name(f"{count}-{path.name}")
        with AuditLog(name, on_failure="raise") as one, AuditLog(name, on_failure="raise") as two:
            one.append("first", **EVENT)
            for _ in range(count):
                two.append("two", **EVENT)
                one.append("one", **EVENT)
            pid = os.fork()
            if pid == 0:
                try:
                    for log in (one, two, one):
                        log.append("child", **EVENT)
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(pid, 0)[1] == 0, count
        assert len(check_chain(name)) == 2 + 2 * count + 3


def test_a_fork_comes_in_the_middle_of_a_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    started, forked = threading.Event(), threading.Event()
    wal = Path(f"{path}-wal")
    with AuditLog(path, durability="fsync") as log, contextlib.ExitStack() as stack:
        log.append("before", **EVENT)
        if wal.exists():  # as another process does: it keeps SQLite from emptying the WAL
            reader = stack.enter_context(contextlib.closing(sqlite3.connect(path)))
            reader.execute("SELECT count(*) FROM entries").fetchall()
        sync, fdatasync = log._sink.sync, os.fdatasync

        def noted(fd: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{fd}"))
            fdatasync(fd)

        def slow() -> None:
            started.set()
            forked.wait(2)  # where the fork waits for the sync instead, that is right as well
            sync()

        monkeypatch.setattr(os, "fdatasync", noted)
        monkeypatch.setattr(log._sink, "sync", slow)
        entries: list[AuditEntry] = []
        thread = threading.Thread(target=lambda: entries.append(log.append("a", **EVENT)))
        thread.start()
        assert started.wait(10)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            os._exit(0)
        forked.set()
        os.waitpid(pid, 0)
        thread.join()
        assert entries[0].hash is not None
        assert str(wal if wal.exists() else path) in synced, "acknowledged, and never synced"


def test_a_fork_on_a_failing_disk_leaves_no_log_locked(tmp_path: Path) -> None:
    # In a process of its own, which would stay stuck.
    program = """
        import os, sys, threading
        from chained_logging import AuditLog
        event = {"actor": "u", "resource": "a/b", "ip": "10.0.0.1"}
        logs = [AuditLog(f"{sys.argv[1]}/{n}.db") for n in range(3)]
        for log in logs:
            log.append("before", **event)
        def failing():
            raise OSError(5, "Input/output error")
        syncs = [log._sink.sync for log in logs]
        for log in logs:
            log._sink.sync = failing
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        for log, sync in zip(logs, syncs):
            log._sink.sync = sync
            append = lambda: log.append("after", **event)
            thread = threading.Thread(target=append, daemon=True)
            thread.start()
            thread.join(5)
            if thread.is_alive():
                os._exit(1)
        os._exit(0)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"an append waits for ever\n{done.stderr}"
    for n in range(3):
        assert [fields["action"] for fields in check_chain(tmp_path / f"{n}.db")][-1] == "after"
