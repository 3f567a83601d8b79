"""Exit, logs that nobody closes, programs that hold the database, full disks."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain

import chained_logging
from chained_logging import AuditHandler, AuditLog, context
from chained_logging.errors import Busy, ForeignFile
from chained_logging.files.lock import FileLock


def actions(path: Path) -> list[str]:
    return [body["action"] for body in check_chain(path)][1:]


def run(program: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


# --- Exit.

EXIT = """
import atexit
def early():
    logging.getLogger("app").info("early", extra=W)
atexit.register(early)
import logging, os, signal, sys, threading, time
from chained_logging import AuditHandler
app = logging.getLogger("app")
app.setLevel("INFO")
app.addHandler(AuditHandler(sys.argv[1]))
W = {"audit": True, "resource": "service/1", "actor": "svc", "actor_type": "service"}
atexit.register(lambda: app.info("late", extra=W))
class Pool:
    def __del__(self):
        app.info("deleted", extra=W)
"""
ENDS = {
    "nothing": ("", ["late", "early"]),
    "an object that is left": ("pool = Pool()", ["late", "early", "deleted"]),
    "shutdown": (
        "logging.shutdown(); app.info('after', extra=W)",
        ["after", "late", "early"],
    ),
    "a thread": (
        "threading.Thread(target=lambda: (time.sleep(0.1), app.info('t', extra=W))).start()",
        ["t", "late", "early"],
    ),
    "a hook": (
        "sys.excepthook = lambda *e: app.critical('crash', extra=W)\n1 / 0",
        ["crash", "late", "early"],
    ),
    "a handler that exits": (
        "signal.signal(signal.SIGTERM, lambda *_: (app.info('term', extra=W), sys.exit(0)))\n"
        "os.kill(os.getpid(), signal.SIGTERM)",
        ["term", "late", "early"],
    ),
    "without open": (  # as in a finaliser that runs when the builtins are being cleared
        "logging.shutdown()\n"
        "import builtins; builtins.kept = builtins.__dict__.pop('open')\n"
        "app.info('after', extra=W)",
        ["after", "late", "early"],
    ),
    "at once": ("app.info('x', extra=W); os._exit(0)", ["x"]),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_is_logged_at_exit_is_written(end: str, path: Path) -> None:
    program, expected = ENDS[end]
    done = run(textwrap.dedent(EXIT) + program, path.parent, path)
    assert done.stderr == ""
    assert actions(path) == expected


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "raise KeyboardInterrupt", "kill()"])
def test_a_signal_handler_in_the_middle_of_an_append_however_it_ends(end: str, path: Path) -> None:
    program = f"""
    import os, signal, sys
    from chained_logging import AuditLog
    EVENT = {EVENT!r}
    log = AuditLog(sys.argv[1])
    write = log._sink.write
    def kill():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    def handler(*_):
        log.append("handled", **EVENT)
        {end}
    def interrupted(records):
        log._sink.write = write
        os.kill(os.getpid(), signal.SIGUSR1)
        write(records)
    signal.signal(signal.SIGUSR1, handler)
    log._sink.write = interrupted
    log.append("main", **EVENT)
    """
    run(program, path.parent, path)
    with AuditLog(path):
        pass
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    assert actions(path) == ["handled", "after"]


# --- Nobody closes it.


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_log_that_nobody_holds_is_closed(path: Path) -> None:
    gc.collect()
    before = open_files()
    for number in range(10):
        AuditLog(path.with_name(f"{number}{path.suffix}")).append("read", **EVENT)
        AuditHandler(path)
    gc.collect()
    assert open_files() <= before
    for number in range(10):
        assert actions(path.with_name(f"{number}{path.suffix}")) == ["read"]


def test_there_are_always_files_left_for_a_new_log(path: Path) -> None:
    program = f"""
    import gc, resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    gc.disable()
    from chained_logging import AuditLog
    for n in range(100):
        AuditLog(sys.argv[1]).append("read", **{EVENT!r})
    """
    done = run(program, path.parent, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(actions(path)) == 100


# --- Somebody is in the way.


def test_a_program_that_holds_the_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    with AuditLog(path, timeout=0.3) as log:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        took = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for number in range(20):
                began = time.monotonic()
                assert log.append(f"n-{number}", **EVENT).seq is None
                took.append(time.monotonic() - began)
        assert 0.2 < took[0] < 5
        assert sum(took[1:]) < 5  # 20 times 0.3 s, if each of them waited
        assert log.stats()["spilled"] == 20
        assert Path(f"{path}.spill").exists()
        other.execute("ROLLBACK")
        other.close()
        deadline = time.monotonic() + 20
        while log.stats()["appended"] < 20 and time.monotonic() < deadline:
            time.sleep(0.02)
        log.append("after", **EVENT)
    assert actions(path) == [*(f"n-{number}" for number in range(20)), "after"]
    said = [r.levelname for r in caplog.records if r.name == "chained_logging"]
    assert [level for level in said if level != "INFO"] == ["WARNING"]


def test_an_event_loop_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with AuditLog(path, timeout=30) as log, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        async def main() -> float:
            began = time.monotonic()
            log.append("read", **EVENT)
            return time.monotonic() - began

        assert asyncio.run(main()) < 5
        other.execute("ROLLBACK")
        other.close()
    assert actions(path) == ["read"]


@pytest.mark.parametrize("policy", ["continue", "raise"])
def test_a_process_that_is_stopped_while_it_holds_the_lock(path: Path, policy: Any) -> None:
    program = """
    import sys, time
    from pathlib import Path
    from chained_logging.files.lock import FileLock
    FileLock(Path(sys.argv[1] + ".lock")).acquire()
    print("held", flush=True)
    time.sleep(60)
    """
    with AuditLog(path, timeout=0.1, on_failure=policy) as log:
        command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            holder.send_signal(signal.SIGSTOP)
            try:
                if policy == "raise":
                    with pytest.raises(Busy, match="holds"):
                        log.append("not", **EVENT)
                else:
                    with pytest.warns(chained_logging.log.AuditWarning, match="holds"):
                        log.append("kept", **EVENT)
                    assert Path(f"{path}.spill").exists()
            finally:
                holder.kill()
        log.append("after", **EVENT)
    assert actions(path) == ["after"] if policy == "raise" else ["kept", "after"]


def test_a_lock_that_waits_for_ever_waits(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    assert not FileLock(tmp_path / "lock").try_acquire()
    lock.close()


def test_a_log_that_nobody_refers_to_is_closed_at_once(path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/dev/fd"))

    gc.disable()
    try:
        before = open_files()
        AuditLog(path, sync_interval=1000).append("a", **EVENT)
        assert open_files() == before
        records = AuditLog(path).records()  # as long as it is read, it is open
        assert next(records).seq == 0
        assert open_files() > before
        assert [record.seq for record in records] == [1]
        del records
        assert open_files() == before
    finally:
        gc.enable()


# --- A full disk.


def test_what_a_full_disk_does_not_take_waits_elsewhere(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = f"""
    import os, resource, sys
    from pathlib import Path
    import chained_logging.log.spill as spill
    from chained_logging import AuditLog
    private = Path({str(elsewhere)!r})
    spill.FOLDERS = (str(private),)
    log = AuditLog(sys.argv[1])
    def full(*_, **__): raise OSError(28, "No space left on device")
    log._sink.write = full
    log._parts.backlog.spills[0].add = full
    log.append("kept", **{EVENT!r})
    """
    done = run(program, path.parent, path)
    (kept,) = elsewhere.glob("chained_logging-*/*.spill")
    assert "No space left on device" in done.stderr
    assert f"events wait in {kept}" in done.stderr
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("chained_logging.log.spill.FOLDERS", (str(elsewhere),))
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    assert actions(path) == ["kept", "after"]
    assert not kept.exists()


def test_a_folder_of_somebody_else_takes_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chained_logging.log.spill.FOLDERS", (str(tmp_path),))
    private = tmp_path / f"chained_logging-{os.geteuid()}"
    private.mkdir(mode=0o777)
    private.chmod(0o777)
    with AuditLog(path) as log:
        *_, last = log._parts.backlog.spills
        assert last.path.parent == private
        with pytest.raises(ForeignFile, match="only this user can access"):
            last.add([])
        assert not last.exists()
    shutil.rmtree(private)


def test_what_nothing_takes_is_counted_and_reported(path: Path) -> None:
    program = f"""
    import resource, sys
    import chained_logging.log.backlog as backlog, chained_logging.log.spill as spill
    from chained_logging import AuditLog
    spill.FOLDERS = ()
    backlog.MEMORY_LIMIT = 5
    log = AuditLog(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    import warnings; warnings.simplefilter("ignore")
    for _ in range(20):
        log.append("lost", **{EVENT!r})
    print(log.stats()["waiting"], log.stats()["dropped"])
    """
    done = run(program, path.parent, path)
    assert done.stdout == "5 15\n"
    assert "events were lost, as neither disk nor memory takes more" in done.stderr
    assert "5 events were never written" in done.stderr


# --- What the context gives, what is not installed.


def test_context_counts_for_append(path: Path) -> None:
    with AuditLog(path) as log, context(actor="ann", ip="10.0.0.1", tenant="t"):
        entry = log.append("read", resource="p/1")
        assert (entry.actor_id, entry.tenant_id) == ("ann", "t")
        assert log.append("read", resource="p/1", actor_id="bob").actor_id == "bob"


def test_a_package_without_metadata(path: Path) -> None:
    source = Path(chained_logging.__file__).parent
    shutil.copytree(source, path.parent / "vendored" / "chained_logging")
    program = f"""
    import sys, importlib.metadata
    sys.path.insert(0, "vendored")
    def version(name): raise importlib.metadata.PackageNotFoundError(name)
    importlib.metadata.version = version
    import chained_logging
    assert "vendored" in chained_logging.__file__
    chained_logging.AuditLog(sys.argv[1]).append("read", **{EVENT!r})
    """
    done = run(program, path.parent, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert actions(path) == ["read"]


def test_a_warning_breaks_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(tmp_path / "a.jsonl")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            log.append("kept", **EVENT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.close()
    assert [r.levelno >= logging.WARNING for r in caplog.records][:1] == [True]
    assert actions(tmp_path / "a.jsonl") == ["kept"]
