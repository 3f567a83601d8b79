"""AuditLog over both sinks: one chain, whatever is done to it while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain, stored

from chained_logging.errors import FAILURES, ForeignFile
from chained_logging.event.entry import InvalidEntry
from chained_logging.format.line import stored_line
from chained_logging.log import AuditLog, AuditWarning


def run(program: str, *arguments: object) -> str:
    """Run a program of its own process, and return what it printed."""
    text = "import sys\nfrom pathlib import Path\nfrom chained_logging.log import AuditLog\n"
    text += "EVENT = " + repr(EVENT) + "\npath = sys.argv[1]\n" + textwrap.dedent(program)
    command = [sys.executable, "-c", text, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def actions(bodies: list[dict[str, Any]]) -> list[str]:
    return [fields["action"] for fields in bodies]


def remove(path: Path) -> None:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)


# --- The usual.


def test_genesis_and_append(path: Path) -> None:
    with AuditLog(path, origin="example.com/audit") as log:
        entry = log.append("read", **EVENT, extra="é")
        assert entry.seq == 1
        assert entry.context == {"extra": "é"}
        assert log.origin == "example.com/audit"
    first, second = check_chain(path)
    assert stored(path)[1][1:] == (entry.body, entry.hash)
    assert second["id"] == entry.id
    context = first.pop("context")
    assert {key: first[key] for key in first if key not in ("id", "timestamp")} == {
        "action": "log.open",
        "actor_id": "chained_logging",
        "actor_type": "system",
        "ip_address": None,
        "prev_hash": "GENESIS",
        "resource_id": "example.com/audit",
        "resource_type": "audit_log",
        "result": "success",
        "seq": 0,
        "v": 1,
    }
    assert context.pop("software").startswith("chained_logging ")
    assert context == {"origin": "example.com/audit", "format": 1}


def test_reopening_goes_on(path: Path) -> None:
    for number in range(3):
        with AuditLog(path) as log:
            assert log.append("read", **EVENT).seq == 2 * number + 1
            entries = log.append_many([{"action": "many", **EVENT}])
            assert [entry.seq for entry in entries] == [2 * number + 2]
    assert actions(check_chain(path)) == ["log.open", *["read", "many"] * 3]
    with AuditLog(path) as log:
        assert [entry.seq for entry in log.entries(3)] == [3, 4, 5, 6]
        assert next(entry.line for entry in log.entries()).endswith(b'"}')


def test_two_logs_of_one_path_are_one_chain(path: Path) -> None:
    link = path.parent / "link"
    link.symlink_to(path.parent)
    with AuditLog(path) as a, AuditLog(link / path.name) as b:
        assert a.path == b.path
        seqs = [log.append("read", **EVENT).seq for log in (a, b, b, a, b, a) * 5]
    assert seqs == list(range(1, 31))
    assert len(check_chain(path)) == 31


def test_append_many_is_all_or_nothing(path: Path) -> None:
    with AuditLog(path, strict=True) as log:
        with pytest.raises(InvalidEntry, match="ip_address"):
            log.append_many([{"action": "a", **EVENT}, {"action": "b", **EVENT, "ip": "x"}])
        assert log.append_many([]) == []
        entries = log.append_many([{"action": str(n), **EVENT} for n in range(5)])
        assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert len(check_chain(path)) == 6


def test_origin_is_kept_and_compared(path: Path) -> None:
    with AuditLog(path, origin="a/b") as log:
        pass
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has the origin 'a/b', not 'c'"):
        AuditLog(path, origin="c")
    assert path.read_bytes() == before
    Path(f"{path}.lock").unlink()
    with pytest.raises(ValueError, match="has the origin 'a/b', not 'c'"):
        AuditLog(path, origin="c")
    with AuditLog(path, origin="a/b") as log, AuditLog(path) as other:
        assert log.origin == other.origin == "a/b"
    for bad in ("", "a b", "a+b", "a\n", "x" * 1025):
        with pytest.raises(ValueError, match="origin"):
            AuditLog(path.with_name("other" + path.suffix), origin=bad)


def test_parameters_are_checked(tmp_path: Path) -> None:
    for options in ({"durability": "x"}, {"on_failure": "x"}, {"sync_interval": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            AuditLog(tmp_path / "a.jsonl", **options)
    with pytest.raises(ValueError, match="cannot tell the kind"):
        AuditLog(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_can_read(path: Path) -> None:
    umask = os.umask(0)
    try:
        with AuditLog(path) as log:
            log.append("read", **EVENT)
            for name in path.parent.iterdir():
                assert stat.S_IMODE(name.stat().st_mode) == 0o600, name
    finally:
        os.umask(umask)


def test_stats_and_closing(path: Path) -> None:
    log = AuditLog(path, durability="fsync")
    log.append("read", **EVENT)
    log.append("read")
    found = log.stats()
    assert (found["appended"], found["incomplete"], found["failed"]) == (2, 1, 0)
    assert (found["waiting"], found["last_error"], found["syncs"]) == (0, None, 2)
    log.close()
    log.close()
    for call in (lambda: log.append("x"), lambda: log.record({}), lambda: log.append_many([{}])):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert len(check_chain(path)) == 3


# --- Many at once.


def test_processes_and_threads_are_one_chain(path: Path) -> None:
    program = """
        import os, threading
        def work(log, name):
            for n in range(25):
                log.append(f"{name}-{n}", **EVENT)
        with AuditLog(path) as log:
            names = [f"{os.getpid()}-{t}" for t in range(3)]
            threads = [threading.Thread(target=work, args=(log, name)) for name in names]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    """
    starters = [threading.Thread(target=run, args=(program, path)) for _ in range(2)]
    for starter in starters:
        starter.start()
    forked = """
        import os, threading
        log = AuditLog(path)
        def work(name):
            for n in range(25):
                log.append(f"{name}-{n}", **EVENT)
        children = []
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                names = [f"{os.getpid()}-{t}" for t in range(3)]
                threads = [threading.Thread(target=work, args=(name,)) for name in names]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                log.close()
                os._exit(0)
            children.append(pid)
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
        log.append("parent", **EVENT)
        log.close()
    """
    run(forked, path)
    for starter in starters:
        starter.join()
    names = actions(check_chain(path))
    assert len(names) == len(set(names)) == 1 + 4 * 75 + 1


def test_fork_while_threads_append(path: Path) -> None:
    program = """
        import os, signal, threading
        log = AuditLog(path)
        stop = threading.Event()
        counts = [0] * 3
        def work(t):
            while not stop.is_set():
                log.append(f"p-{t}-{counts[t]}", **EVENT)
                counts[t] += 1
        threads = [threading.Thread(target=work, args=(t,)) for t in range(3)]
        for thread in threads: thread.start()
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        for child in range(6):
            pid = os.fork()
            if pid == 0:
                signal.alarm(10)
                for n in range(5):
                    log.append(f"c-{child}-{n}", **EVENT)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for thread in threads: thread.join()
        log.close()
        print(sum(counts))
    """
    count = int(run(program, path))
    names = actions(check_chain(path))
    assert len(names) == len(set(names)) == 1 + count + 30


def test_a_signal_handler_that_appends(path: Path) -> None:
    program = """
        import itertools, signal
        log = AuditLog(path)
        seen, numbers = [], itertools.count()
        def handler(*_):
            seen.append(log.append(f"signal-{next(numbers)}", **EVENT))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
        n = 0
        while len(seen) < 150:
            log.append(f"main-{n}", **EVENT)
            n += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        log.close()
        print(n, len(seen))
    """
    main, handled = map(int, run(program, path).split())
    names = actions(check_chain(path))
    assert len(names) == len(set(names)) == 1 + main + handled


def test_an_append_in_the_middle_of_an_append(path: Path) -> None:
    # What a signal handler does, at a place that is certain: Python runs it inside the append.
    log = AuditLog(path)
    inside: list[object] = []

    def trace(frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "head" and not inside:
            inside.append(None)
            inside[0] = log.append("inner", **EVENT)

    sys.setprofile(trace)
    try:
        outer = log.append("outer", **EVENT)
    finally:
        sys.setprofile(None)
    assert outer.action == "outer"
    assert inside[0].action == "inner"
    assert inside[0].hash is None
    log.close()
    assert sorted(actions(check_chain(path))) == ["inner", "log.open", "outer"]


# --- What happens to files.


@pytest.mark.parametrize("size", [1, 100, 60_000])
def test_a_torn_tail_is_moved_aside(tmp_path: Path, size: int) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    whole = path.read_bytes()
    torn = (b'{"action":"' + b"x" * 70_000)[:size]
    path.write_bytes(whole + torn)
    with AuditLog(path) as log:
        entry = log.append("after", **EVENT)
        assert entry.action == "after"
    assert path.read_bytes().startswith(whole)
    bodies = check_chain(path)
    assert actions(bodies) == ["log.open", "read", "log.recover", "after"]
    (aside,) = tmp_path.glob("audit.jsonl.torn-*")
    assert aside.read_bytes() == torn
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert bodies[2]["context"]["bytes"] == size
    assert bodies[2]["context"]["kept_in"] == aside.name


def test_a_torn_tail_under_a_running_writer(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("read", **EVENT)
        with path.open("ab") as file:
            file.write(b'{"half')
        assert log.append("after", **EVENT).action == "after"
    assert actions(check_chain(path)) == ["log.open", "read", "log.recover", "after"]


def test_a_torn_genesis(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="a"):
        pass
    genesis = path.read_bytes()
    Path(f"{path}.lock").unlink()
    path.write_bytes(genesis[:100])
    with AuditLog(path, origin="a") as log:
        log.append("after", **EVENT)
    assert check_chain(path)[0]["action"] == "log.open"
    assert len(list(tmp_path.glob("*.torn-*"))) == 1


def after(path: Path, gone: list[tuple[int, bytes, str]]) -> list[dict[str, Any]]:
    """Check that what stands in a file now goes on after what was there."""
    now = stored(path)
    start = now[0][0]
    assert start > 0, "a second genesis"
    prev = {seq: hash for seq, _, hash in gone}[start - 1]
    return check_chain(path, start, prev)


def test_the_file_is_deleted_under_a_running_writer(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("before", **EVENT)
        gone = stored(path)
        remove(path)
        entry = log.append("after", **EVENT)
        assert entry.action == "after"
        assert log.append("last", **EVENT).action == "last"
    assert sorted(actions(after(path, gone))) == ["after", "last", "log.reopen"]


def test_only_the_database_is_deleted_under_a_running_writer(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("before", **EVENT)
        gone = stored(path)
        path.unlink()
        log.append("after", **EVENT)
    assert "after" in actions(after(path, gone))


def test_the_file_is_moved_and_another_writer_is_behind(path: Path) -> None:
    with AuditLog(path) as one, AuditLog(path) as two:
        one.append("a", **EVENT)
        two.append("b", **EVENT)
        gone = stored(path)
        remove(path)
        one.append("c", **EVENT)  # has not seen b yet
        two.append("d", **EVENT)
        names = actions(after(path, gone))
    assert {"c", "d"} < set(names)


def test_the_file_is_deleted_and_the_writer_forks(path: Path) -> None:
    program = """
        import os
        log = AuditLog(path)
        log.append("before", **EVENT)
        for name in ("", "-wal", "-shm"):
            Path(path + name).unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            log.append("after", **EVENT)
            os._exit(0)
        os.waitpid(pid, 0)
    """
    run(program, path)
    rows = stored(path)
    assert rows[0][0] >= 2, f"a second genesis: {rows[0][:2]}"


def test_the_file_is_replaced_by_an_older_one(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("a", **EVENT)
    old = path.with_name("old")
    shutil.copy(path, old)
    with AuditLog(path) as log:
        log.append("b", **EVENT)
        gone = stored(path)
        remove(path)
        os.rename(old, path)
        log.append("c", **EVENT)
    rows = stored(path)
    assert [seq for seq, _, _ in rows] == [0, 1, 3, 4]  # the gap is what a verifier finds
    assert json.loads(rows[2][1])["prev_hash"] == gone[2][2]
    assert {json.loads(body)["action"] for _, body, _ in rows[2:]} == {"log.reopen", "c"}


def test_the_file_is_emptied_under_a_running_writer(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("before", **EVENT)
        gone = stored(path)
        os.truncate(path, 0)
        log.append("after", **EVENT)
    assert actions(after(path, gone)) == ["log.reopen", "after"]


def test_a_database_is_emptied_under_a_running_writer(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    log = AuditLog(path, on_failure="raise")
    log.append("before", **EVENT)
    os.truncate(path, 0)
    try:
        log.append("after", **EVENT)
    except FAILURES:
        pass  # clear, and nothing pretended
    else:
        assert "after" in [json.loads(body)["action"] for _, body, _ in stored(path)]
    log.close()


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_the_file_is_gone_between_runs(path: Path, how: str) -> None:
    with AuditLog(path, origin="o") as log:
        log.append("before", **EVENT)
    gone = stored(path)
    if how == "deleted":
        remove(path)
    else:
        os.truncate(path, 0)
    with AuditLog(path) as log:
        assert log.origin == "o"
        assert log.append("after", **EVENT).action == "after"
    bodies = after(path, gone)
    assert actions(bodies) == ["log.recover", "after"]
    assert bodies[0]["context"]["lost"] == 2


def test_a_tail_cut_off_between_runs_leaves_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append_many([{"action": str(n), **EVENT} for n in range(5)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    assert [seq for seq, _, _ in stored(path)] == [0, 1, 2, 6, 7]
    assert json.loads(stored(path)[3][1])["prev_hash"] == json.loads(lines[5])["hash"]


def test_the_lock_file_is_deleted_under_running_writers(path: Path) -> None:
    program = """
        import threading
        with AuditLog(path) as log:
            for n in range(60):
                log.append("other", **EVENT)
    """
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        Path(f"{path}.lock").unlink()
        other = threading.Thread(target=run, args=(program, path))
        other.start()
        while other.is_alive():
            log.append("ours", **EVENT)
            other.join(0.001)
    assert actions(check_chain(path)).count("other") == 60


# --- What is refused.


def snapshot(directory: Path) -> dict[str, object]:
    return {
        str(name.relative_to(directory)): name.read_bytes() if name.is_file() else None
        for name in directory.rglob("*")
        if not name.name.endswith((".lock", "-shm", "-wal")) or name.is_symlink()
    }


def refused(path: Path, directory: Path, match: str | None = None) -> None:
    before = snapshot(directory)
    with pytest.raises(FAILURES, match=match or ".") as caught:
        AuditLog(path)
    assert str(path.name) in str(caught.value), f"names no file: {caught.value}"
    assert snapshot(directory) == before


def test_a_hard_linked_log_is_refused(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("a", **EVENT)
    second = path.with_name("second" + path.suffix)
    os.link(path, second)
    refused(path, path.parent, "hard link")
    refused(second, path.parent, "hard link")


def test_a_symlinked_lock_file_is_refused(path: Path) -> None:
    target = path.with_name("target")
    target.write_text("precious")
    Path(f"{path}.lock").symlink_to(target)
    refused(path, path.parent)
    assert not path.exists()


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    refused(path, path.parent)


def test_a_fifo_is_refused(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ForeignFile, match="regular file"):
        AuditLog(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"hello",
        b'{"a":1}\n{"b":2}\n',
        b'{"a":1}',
        b"\x00" * 200_000,
        b"x" * 200_000,
        b"SQLite format 3\0" + b"\0" * 4000,
        b"line\n" * 9000 + b"end",
    ],
    ids=["text", "no-newline", "json", "json-no-newline", "zeros", "xs", "sqlite", "many"],
)
def test_a_file_that_is_no_log_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, path.parent)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entries (a)")
    connection.execute("INSERT INTO entries VALUES (1)")
    connection.commit()
    connection.close()
    refused(path, tmp_path, "something else")


def test_a_missing_directory_is_an_error(path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        AuditLog(path.parent / "no" / path.name)


# --- Failures of the disk.

LIMIT = """
import os, resource, warnings
from chained_logging.errors import FAILURES
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
def full():
    limit(max(Path(p).stat().st_size for p in (path, path + "-wal") if Path(p).exists()) + 50)
"""


def test_on_failure_continue(path: Path) -> None:
    program = LIMIT + textwrap.dedent("""
        from chained_logging.log import AuditWarning
        log = AuditLog(path)
        log.append("before", **EVENT)
        full()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lost = log.append("kept", **EVENT)
            log.append("kept too", **EVENT)
        assert [w.category for w in caught] == [AuditWarning] * 2, caught
        assert caught[0].filename == "<string>", caught[0].filename
        assert lost.hash is None and lost.action == "kept" and lost.seq is None, lost.seq
        stats = log.stats()
        assert (stats["spilled"], stats["failed"], stats["appended"]) == (2, 2, 1), stats
        assert stats["last_error"]
        limit(resource.RLIM_INFINITY)
        entry = log.append("after", **EVENT)
        assert entry.action == "after" and entry.seq == 4, entry
        stats = log.stats()
        assert (stats["waiting"], stats["appended"]) == (0, 4), stats
        assert not Path(path + ".spill").exists()
        log.close()
        print(lost.id)
    """)
    lost = run(program, path).strip()
    bodies = check_chain(path)
    assert actions(bodies) == ["log.open", "before", "kept", "kept too", "after"]
    assert bodies[2]["id"] == lost


def test_what_waits_is_written_at_close(path: Path) -> None:
    program = LIMIT + textwrap.dedent("""
        warnings.simplefilter("ignore")
        log = AuditLog(path)
        full()
        log.append("kept", **EVENT)
        limit(resource.RLIM_INFINITY)
        log.close()
    """)
    run(program, path)
    assert actions(check_chain(path)) == ["log.open", "kept"]


def test_closing_with_a_full_disk_warns_and_the_next_run_goes_on(path: Path) -> None:
    program = LIMIT + textwrap.dedent("""
        log = AuditLog(path)
        full()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            log.append("kept", **EVENT)
            log.close()
        assert "events wait in" in str(caught[-1].message), caught[-1]
    """)
    run(program, path)
    assert actions(check_chain(path)) == ["log.open"]
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    assert actions(check_chain(path)) == ["log.open", "kept", "after"]
    assert not Path(f"{path}.spill").exists()


def test_what_not_even_the_spill_file_takes_is_named_at_close(path: Path) -> None:
    program = LIMIT + textwrap.dedent("""
        log = AuditLog(path)
        limit(10)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            log.append("lost", **EVENT)
            assert log.stats()["waiting"] == 1
            log.close()
        assert "1 events were never written" in str(caught[-1].message), caught[-1]
    """)
    run(program, path)
    assert actions(check_chain(path)) == ["log.open"]


@pytest.mark.long
def test_a_crash_while_spilled_events_are_chained_repeats_none(path: Path) -> None:
    program = """
        import errno, os, warnings
        warnings.simplefilter("ignore")
        log = AuditLog(path, sync_interval=1000)
        write, writes = log._sink.write, 0
        def failing(records):
            raise OSError(errno.EIO, "Input/output error")
        def dying(records):
            global writes
            writes += 1
            if writes == 3:
                os._exit(0)
            write(records)
        log._sink.write = failing
        for n in range(250):
            log.append(f"kept-{n}", **EVENT)
        log._sink.write = dying
        log.append("after", **EVENT)
    """
    run(program, path)
    assert len(check_chain(path)) == 201
    with AuditLog(path) as log:
        log.append("last", **EVENT)
    names = actions(check_chain(path))
    assert names == ["log.open", *(f"kept-{n}" for n in range(250)), "last"]


def test_an_edited_spill_file_brings_nothing_malformed_into_the_log(path: Path) -> None:
    with AuditLog(path):
        pass
    Path(f"{path}.spill").write_bytes(b'{"half\n["a","b","c","d",0]\nnull\n')
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        log.append("b", **EVENT)
    bodies = check_chain(path)
    assert actions(bodies) == ["log.open", "log.recover", "a", "b"]
    kept = path.with_name(bodies[1]["context"]["kept_in"])
    assert kept.read_bytes() == b'{"half\n["a","b","c","d",0]\nnull\n'


def test_on_failure_raise(path: Path) -> None:
    program = LIMIT + textwrap.dedent("""
        log = AuditLog(path, on_failure="raise")
        log.append("before", **EVENT)
        full()
        for _ in range(3):
            try:
                log.append_many([{"action": "no", **EVENT}] * 3)
            except FAILURES as error:
                assert str(error)
            else:
                raise SystemExit("no error")
        assert log.stats()["waiting"] == 0
        limit(resource.RLIM_INFINITY)
        assert log.append("after", **EVENT).seq == 2
        log.close()
    """)
    run(program, path)
    assert actions(check_chain(path)) == ["log.open", "before", "after"]


def test_a_notice_survives_a_failed_write(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    program = LIMIT + textwrap.dedent("""
        log = AuditLog(path, on_failure="raise")
        log.append("before", **EVENT)
        with open(path, "ab") as file:
            file.write(b'{"half')
        limit(Path(path).stat().st_size + 50)
        try:
            log.append("no", **EVENT)
        except OSError:
            pass
        limit(resource.RLIM_INFINITY)
        log.append("after", **EVENT)
        log.close()
    """)
    run(program, path)
    assert actions(check_chain(path)) == ["log.open", "before", "log.recover", "after"]


def test_a_warning_is_of_its_own_kind() -> None:
    assert issubclass(AuditWarning, UserWarning)


# --- Segments.


def segments(path: Path) -> list[Path]:
    return sorted(path.parent.glob("audit.[0-9]*.jsonl"))


def test_rotation_by_size_leaves_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, max_bytes=2000) as log, AuditLog(path, max_bytes=2000) as other:
        for n in range(30):
            (log, other)[n % 2].append(f"a-{n}", **EVENT)
        assert [entry.seq for entry in log.entries()] == list(range(31))
        assert [entry.seq for entry in log.entries(17)] == list(range(17, 31))
    sealed = segments(path)
    assert len(sealed) > 4
    whole = b"".join(name.read_bytes() for name in [*sealed, path])
    joined = tmp_path / "joined" / "audit.jsonl"
    joined.parent.mkdir()
    joined.write_bytes(whole)
    assert actions(check_chain(joined)) == ["log.open", *(f"a-{n}" for n in range(30))]
    lines = [json.loads(line) for line in Path(f"{path}.manifest").read_bytes().splitlines()]
    assert [line["file"] for line in lines] == [name.name for name in sealed]
    for line, name in zip(lines, sealed, strict=True):
        rows = stored(name)
        assert (line["first_seq"], line["last_seq"]) == (rows[0][0], rows[-1][0])
        assert (line["last_hash"], line["bytes"]) == (rows[-1][2], name.stat().st_size)
        assert line["sha256"] == hashlib.sha256(name.read_bytes()).hexdigest()
        assert line["bytes"] <= 2000
        assert stat.S_IMODE(name.stat().st_mode) == 0o600


def test_rotation_by_age(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, max_age=0.3, sync_interval=0.05) as log:
        log.append("a", **EVENT)
        for _ in range(200):
            if segments(path):
                break
            time.sleep(0.05)
        log.append("b", **EVENT)
    assert actions(check_chain(segments(path)[0])) == ["log.open", "a"]
    assert [seq for seq, _, _ in stored(path)] == [2]


@pytest.mark.parametrize("stop", ["rename", "_reopen", "complete_manifest"])
def test_a_crash_in_the_middle_of_rotation(tmp_path: Path, stop: str) -> None:
    path = tmp_path / "audit.jsonl"
    program = f"""
        import os
        from chained_logging.sinks import jsonl
        log = AuditLog(path, max_bytes=1500)
        def die(*_): os._exit(0)
        for owner in (jsonl.os, jsonl.JsonlSink, jsonl):
            if hasattr(owner, {stop!r}):
                setattr(owner, {stop!r}, die)
        for n in range(9):
            log.append(f"a-{{n}}", **EVENT)
        raise SystemExit("it did not die")
    """
    run(program, path)
    with AuditLog(path, max_bytes=1500) as log:
        log.append("after", **EVENT)
        names = [entry.action for entry in log.entries()]
        assert [entry.seq for entry in log.entries()] == list(range(len(names)))
    assert names[0] == "log.open"
    assert names[-1] == "after"
    assert "log.reopen" not in names
    listed = [json.loads(x)["file"] for x in Path(f"{path}.manifest").read_bytes().splitlines()]
    assert listed == [name.name for name in segments(path)]


def test_logrotate_with_create_is_noticed_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        os.rename(path, f"{path}.1")
        path.touch(mode=0o600)
        log.append("b", **EVENT)
    rows = [(seq, json.loads(body)["action"]) for seq, body, _ in stored(path)]
    assert rows == [(2, "log.reopen"), (3, "b")]
    joined = path.with_name("joined.jsonl")
    joined.write_bytes(Path(f"{path}.1").read_bytes() + path.read_bytes())
    check_chain(joined)


def test_a_database_is_not_rotated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a database is one file"):
        AuditLog(tmp_path / "a.db", max_bytes=1)


# --- SQLite.


@pytest.fixture
def database(tmp_path: Path) -> Any:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("read", **EVENT, old_values={"a": [1]}, changed_fields=["a"], extra="é")
        log.append("broken", context={"x": None})
        log.append("full", **EVENT, reason="r", user_agent="u", session_id="s")
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = body",
        "UPDATE entries SET hash = 'x' WHERE seq = 1",
        "UPDATE OR REPLACE entries SET seq = 1 WHERE seq = 2",
        "DELETE FROM entries",
        "DELETE FROM entries WHERE seq = 3",
        "REPLACE INTO entries (seq, body, hash) SELECT seq, body, hash FROM entries",
        "INSERT OR REPLACE INTO entries (seq, body, hash) SELECT 3, body, hash FROM entries",
        "INSERT OR IGNORE INTO entries (seq, body, hash) SELECT seq, body, hash FROM entries",
        "INSERT INTO entries (seq, body, hash) SELECT 9, body, hash FROM entries WHERE seq = 1",
        "UPDATE entries SET actor_id = 'other'",
    ],
)
def test_the_database_refuses(database: sqlite3.Connection, statement: str) -> None:
    before = database.execute("SELECT seq, body, hash FROM entries").fetchall()
    with pytest.raises(sqlite3.DatabaseError):
        database.execute(statement)
    database.rollback()
    assert database.execute("SELECT seq, body, hash FROM entries").fetchall() == before


def test_generated_columns_are_the_fields_of_the_body(database: sqlite3.Connection) -> None:
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM entries ORDER BY seq").fetchall()
    assert len(rows) == 4
    for row in rows:
        fields = json.loads(row["body"])
        names = set(row.keys()) - {"body", "hash", "signature"}
        assert set(fields) <= names
        for name in names:
            value = row[name]
            if isinstance(fields.get(name), dict | list):
                value = json.loads(value)
            assert value == fields.get(name), name
        assert row["signature"] is None


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("actor_id = 'user-1'", "actor_id"),
        ("resource_type = 'a'", "resource_type"),
        ("resource_type = 'a' AND resource_id = 'b'", "resource_type=? AND resource_id"),
        ("timestamp > '2026'", "timestamp"),
        ("action = 'read'", "action"),
    ],
)
def test_indexes_are_used(database: sqlite3.Connection, where: str, columns: str) -> None:
    plan = database.execute(f"EXPLAIN QUERY PLAN SELECT body FROM entries WHERE {where}").fetchall()
    text = " ".join(str(row) for row in plan)
    assert re.search(rf"SEARCH .*USING INDEX \w+ \({re.escape(columns)}", text), text


def test_the_database_is_known_by_its_id(database: sqlite3.Connection) -> None:
    assert database.execute("PRAGMA application_id").fetchone() == (0x636C6F67,)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_killed_writer_loses_nothing(path: Path) -> None:
    program = """
        log = AuditLog(path)
        for n in range(20):
            log.append(str(n), **EVENT)
        print("ready", flush=True)
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with pytest.raises(AssertionError):
        run(program, path)
    with AuditLog(path) as log:
        log.append("after", **EVENT)
    assert actions(check_chain(path)) == ["log.open", *map(str, range(20)), "after"]
    assert signal.SIGKILL == 9


def test_entries_from_any_place(path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many(
            [{"action": "a", **EVENT, "text": "x" * (n % 97) * 30} for n in range(1, 3000)]
        )
        for start in (0, 1, 2, 1499, 2990, 2999, 3000, 5000):
            seqs = [entry.seq for entry in log.entries(start)]
            assert seqs == list(range(start, 3000)), start


def test_pickling_is_refused_with_a_sentence(path: Path) -> None:
    with AuditLog(path) as log, pytest.raises(TypeError, match="hand over its path"):
        pickle.dumps(log)


def rewrite(path: Path, seq: int) -> None:
    """Edit an entry, and make all hashes after it anew."""
    prev = ""
    lines: list[bytes] = []
    for number, body, hash in stored(path):
        if number >= seq:
            if number == seq:
                body = body.replace(b"user-1", b"user-9")
            else:
                body = re.sub(rb'"prev_hash":"[^"]*"', f'"prev_hash":"{prev}"'.encode(), body)
            hash = hashlib.sha256(b"\0" + body).hexdigest()
        prev = hash
        lines.append(stored_line(body, hash, None) + b"\n")
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("killed", [False, True])
def test_a_history_that_was_rewritten_between_two_runs_is_recorded(
    tmp_path: Path, killed: bool
) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        for n in range(20):
            log.append(f"a-{n}", **EVENT)
        lock = Path(f"{path}.lock")
        noted = lock.read_bytes()
        if killed:  # between the write of the last entries and the note of them
            log.append("b", **EVENT)
    if killed:
        lock.write_bytes(noted)
    rewrite(path, 15)
    for _ in range(2):  # who only opens it leaves the note of it as it was
        with AuditLog(path):
            pass
    with AuditLog(path) as log:
        log.append("after", **EVENT)
        log.append("after", **EVENT)
    bodies = check_chain(path)
    assert actions(bodies)[-3:] == ["log.recover", "after", "after"]
    assert "has another one" in bodies[-3]["context"]["cause"]
    with AuditLog(path) as log:
        log.append("later", **EVENT)
    assert actions(check_chain(path))[-2:] == ["after", "later"]


def test_a_new_database_costs_a_program_no_import(tmp_path: Path) -> None:
    """A library for data frames takes a third of a second to import, and is not ours to import."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('imported')")
    assert "1" in run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from chained_logging import AuditLog\n"
        "log = AuditLog(sys.argv[1]); log.append('x', actor='u', ip='10.0.0.1', resource='p/1')\n"
        "print(log.stats()['appended'])",
        tmp_path / "a.db",
    )
