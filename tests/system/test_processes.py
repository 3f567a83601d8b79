"""One log that threads, processes and asyncio tasks share is one chain: nothing lost or doubled."""

from __future__ import annotations

import errno
import fcntl
import functools
import http.client
import importlib.util
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain
from programs import SECONDS, check_all_there, missing, needed, running, until
from thorough import some

from chained_logging.errors import ForeignFile
from chained_logging.log import AuditLog
from chained_logging.verify import verify

ROOT = os.name == "posix" and os.geteuid() == 0


# --- multiprocessing.


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_is_one_chain(path: Path, method: str) -> None:
    program = """
        import concurrent.futures, multiprocessing

        log = None

        def the_log():
            global log
            if log is None:  # not inherited
                log = AuditLog(path)
            return log

        def work(name):
            def repeat(thread):
                for n in range(15):
                    note(the_log().append(f"{name}-{thread}-{n}", **EVENT))
            the_log()
            threads = [threading.Thread(target=repeat, args=(t,)) for t in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()

        def task(n):
            entry = the_log().append(f"task-{n}", **EVENT)
            note(entry)
            return entry.id

        if __name__ == "__main__":
            note(the_log().append("first", **EVENT))
            context = multiprocessing.get_context(sys.argv[2])
            processes = [context.Process(target=work, args=(f"p{n}",)) for n in range(3)]
            for process in processes: process.start()
            work("parent")
            for process in processes:
                process.join()
                assert process.exitcode == 0, process
            with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
                ids = list(pool.map(task, range(60)))
            assert len(set(ids)) == 60
            note(the_log().append("last", **EVENT))
    """
    with running(path, program, method) as started:
        started.ends()
    names = [fields["action"] for fields in check_all_there(path, expected=1 + 4 * 30 + 60 + 1)]
    assert len(set(names)) == len(names)
    assert names[:2] == ["log.open", "first"]
    assert names[-1] == "last"


# --- Forks.


@pytest.mark.parametrize("how", ["closes", "exits", "dies", "reads"])
def test_a_forked_child_outlives_its_parents_log(path: Path, how: str) -> None:
    # "exits" and "dies" are how a daemon is made. Another process then comes and goes.
    program = """
        log = AuditLog(path)
        note(log.append("parent", **EVENT))
        reader = log.entries() if sys.argv[2] == "reads" else iter(())
        next(reader, None)
        ready, child_is_ready = os.pipe()
        if os.fork() == 0:
            signal.alarm(20)
            note(log.append("child-0", **EVENT))
            os.write(child_is_ready, b"x")
            sys.stdin.readline()
            for n in range(1, 4):
                note(log.append(f"child-{n}", **EVENT))
            print("done", flush=True)
            os._exit(0)
        os.read(ready, 1)
        if sys.argv[2] == "dies":
            os._exit(0)
        list(reader)
        if sys.argv[2] != "exits":
            log.close()
    """
    with running(path, program, how) as started:
        started.ends()
        with AuditLog(path) as log:
            other = log.append("other", **EVENT)
        started.go()
        started.says("done")
    with AuditLog(path) as log:
        last = log.append("last", **EVENT)
    check_all_there(path, other, last, expected=7)


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_threads_that_fork_while_threads_append(path: Path, durability: str) -> None:
    program = """
        import faulthandler, warnings; warnings.simplefilter("ignore", DeprecationWarning)
        faulthandler.register(signal.SIGALRM, chain=True)  # where a child hangs
        log = AuditLog(path, durability=sys.argv[2])
        stop = threading.Event()
        statuses = []

        def append(name):
            n = 0
            while not stop.is_set():
                note(log.append(f"{name}-{n}", **EVENT))
                n += 1

        def in_child(name, depth):
            signal.alarm(10)
            threads = [threading.Thread(target=ten, args=(f"{name}-{t}",)) for t in range(2)]
            for thread in threads: thread.start()
            if depth:
                fork(f"{name}-child", depth - 1)
            for thread in threads: thread.join()

        def ten(name):
            for n in range(10):
                note(log.append(f"{name}-{n}", **EVENT))

        def fork(name, depth):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    in_child(name, depth)
                    status = 0
                finally:
                    os._exit(status)
            statuses.append(os.waitpid(pid, 0)[1])
            if statuses[-1]:
                os._exit(1)

        def forks(name):
            for n in range(4):
                fork(f"{name}-{n}", 1)

        appending = [threading.Thread(target=append, args=(f"a{t}",)) for t in range(2)]
        forking = [threading.Thread(target=forks, args=(f"f{t}",)) for t in range(2)]
        for thread in appending + forking: thread.start()
        for thread in forking: thread.join()
        stop.set()
        for thread in appending: thread.join()
        log.close()
        assert statuses == [0] * 8, statuses
    """
    with running(path, program, durability) as started:
        started.ends()
    names = [fields["action"] for fields in check_all_there(path)]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("f") for name in names) == 2 * 4 * 2 * 20
    assert sum(name.startswith("a") for name in names) > 0


def test_forks_while_threads_read(path: Path) -> None:
    # SQLite has locks of its own, which a child gets as they are. A checkpoint reads, too.
    program = """
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        log = AuditLog(path)
        note(*log.append_many([{"action": "before", **EVENT}] * 300))
        stop = threading.Event()
        def read():
            while not stop.is_set():
                assert sum(1 for _ in log.entries()) >= 301
        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads: thread.start()
        statuses = []
        while len(statuses) < 50 and not any(statuses):
            pid = os.fork()
            if pid == 0:
                signal.alarm(8)
                note(log.append("child", **EVENT))
                os._exit(0)
            statuses.append(os.waitpid(pid, 0)[1])
        stop.set()
        for thread in threads: thread.join()
        log.close()
        assert not any(statuses), statuses
    """
    with running(path, program) as started:
        started.ends()
    check_all_there(path, expected=350)


def test_a_fork_that_python_is_not_told_of(path: Path) -> None:
    # uWSGI forks its workers in C, and by default calls none of Python's hooks around it.
    program = """
        import ctypes
        from chained_logging.errors import FAILURES
        log = AuditLog(path, on_failure="raise")
        note(log.append("parent", **EVENT))
        fork = ctypes.PyDLL(None).fork
        children = []
        for _ in range(3):
            pid = fork()
            if pid == 0:
                signal.alarm(10)
                status = 1
                try:
                    for n in range(40):
                        note(log.append(f"child-{n}", **EVENT))
                    status = 0
                except FAILURES as error:
                    print(error, file=sys.stderr, flush=True)
                finally:
                    os._exit(status)
            children.append(pid)
        for n in range(40):
            note(log.append(f"parent-{n}", **EVENT))
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        log.close()
        refused = 1 << 8 if path.endswith(".db") else 0
        assert statuses == [refused] * 3, statuses
    """
    with running(path, program) as started:
        status = started.wait()
    # SQLite cannot be used over such a fork, and says so: nobody's entries are lost for it.
    check_all_there(path, expected=41 if path.suffix == ".db" else 161)
    assert status == 0, started.errors()
    assert ("lazy-apps" in started.errors()) is (path.suffix == ".db")


def test_a_child_of_such_a_fork_that_only_closes_leaves_the_lock(path: Path) -> None:
    # As at its exit. It has its parent's lock file: to unlock that would unlock it for the parent.
    program = """
        import ctypes
        log = AuditLog(path, sync_interval=1000)
        note(log.append("parent", **EVENT))
        go, parent_writes = os.pipe()
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            signal.alarm(10)
            os.read(go, 1)
            try:
                log.close()
            finally:
                os._exit(0)
        write = log._sink.write
        def patched(records):
            os.write(parent_writes, b"x")
            print("writing", flush=True)
            sys.stdin.readline()
            log._sink.write = write
            write(records)
        log._sink.write = patched
        note(log.append("parent", **EVENT))
        log.close()
        status = os.waitpid(child, 0)[1]
        assert status == 0, f"the child hangs: {status}"
    """
    with running(path, program) as started:
        started.says("writing")
        deadline = time.monotonic() + 0.5  # the child would be done in a hundredth of that
        while time.monotonic() < deadline:
            assert locked(path)
            time.sleep(0.01)
        started.go()
        started.ends()
    check_all_there(path, expected=2)


@pytest.mark.parametrize("what", ["close", "checkpoint", "flush"])
def test_a_fork_that_python_is_not_told_of_while_a_thread_appends(path: Path, what: str) -> None:
    # The child has that thread's lock, and not the thread.
    program = """
        import ctypes
        from chained_logging.errors import FAILURES
        class Key:
            public_key = bytes(range(32))
            def sign(self, data):
                return bytes(64)
        log = AuditLog(path, sync_interval=1000, key=Key() if sys.argv[2] == "checkpoint" else None)
        write, writing, written = log._sink.write, threading.Event(), threading.Event()
        def patched(records):
            writing.set()
            written.wait()
            write(records)
        log._sink.write = patched
        thread = threading.Thread(target=lambda: note(log.append("parent", **EVENT)))
        thread.start()
        writing.wait()
        pid = ctypes.PyDLL(None).fork()
        if pid == 0:
            signal.alarm(3)
            try:
                getattr(log, sys.argv[2])()
            except FAILURES as error:
                print(error, file=sys.stderr, flush=True)
            os._exit(0)
        written.set()
        thread.join()
        log._sink.write = write
        status = os.waitpid(pid, 0)[1]
        assert status == 0, f"the child hangs: {status}"
        log.close()
    """
    with running(path, program, what) as started:
        started.ends()
    assert [fields["action"] for fields in check_chain(path)] == ["log.open", "parent"]


def test_a_signer_that_logs_while_a_thread_forks(path: Path) -> None:
    # A remote signer has loggers, which take logging's lock, under the lock that a fork takes.
    program = """
        import faulthandler, logging
        faulthandler.dump_traceback_later(6, exit=True)
        signing = threading.Event()

        class Signer:
            public_key = bytes(range(32))
            def sign(self, data):
                if armed:
                    signing.set()
                    # Until the fork has taken logging's lock, if it ever does before ours.
                    deadline = time.monotonic() + 0.5
                    while logging._lock.acquire(blocking=False) and time.monotonic() < deadline:
                        logging._lock.release()
                        time.sleep(0.01)
                    else:
                        if time.monotonic() >= deadline:
                            logging._lock.release()
                    logging.getLogger(f"signer.{time.monotonic_ns()}").debug("signs")
                return bytes(64)

        armed = False
        log = AuditLog(path, key=Signer(), sign="each", sync_interval=1000)
        note(log.append("first", **EVENT))
        armed = True
        thread = threading.Thread(target=lambda: note(log.append("signed", **EVENT)))
        thread.start()
        signing.wait()
        import warnings; warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        thread.join()
        armed = False
        os._exit(0)
    """
    with running(path, program) as started:
        started.ends()
    with AuditLog(path, sign="follow") as log:
        assert [entry.action for entry in log.entries()] == ["log.open", "first", "signed"]


def test_a_fork_while_logging_is_configured_anew(tmp_path: Path) -> None:
    # dictConfig closes the old handlers while it holds logging's lock, which a fork takes too.
    program = """
        import faulthandler, logging.config
        faulthandler.dump_traceback_later(6, exit=True)
        closing, forking = threading.Event(), threading.Event()
        # Hooks run last first: chained_logging's, this one, logging's own.
        def before():
            if closing.is_set():
                forking.set()
        os.register_at_fork(before=before)
        for name in [name for name in sys.modules if name.startswith("chained_logging")]:
            del sys.modules[name]
        import chained_logging
        class Slow(logging.Handler):
            def close(self):
                closing.set()
                forking.wait(0.3)
                super().close()
        audit, slow = chained_logging.AuditHandler(path), Slow()  # closed last first
        def fork():
            closing.wait()
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        thread = threading.Thread(target=fork)
        thread.start()
        logging.config.dictConfig({"version": 1})
        thread.join()
    """
    with running(tmp_path / "audit.jsonl", program) as started:
        started.ends()


def test_a_fork_while_the_disk_fails(tmp_path: Path) -> None:
    # What a log does before a fork may fail; the locks that were taken for it are let go all the
    # same.
    program = """
        import errno, faulthandler
        faulthandler.dump_traceback_later(6, exit=True)
        logs = [AuditLog(f"{n}-{Path(path).name}", sync_interval=1000) for n in range(3)]
        for log in logs:
            note(log.append("before", **EVENT))
        real = os.fsync, os.fdatasync
        def fails(fd):
            raise OSError(errno.EIO, "Input/output error")
        os.fsync = os.fdatasync = fails
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        os.fsync, os.fdatasync = real
        def work():
            for log in logs:
                note(log.append("after", **EVENT))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        for log in logs:
            log.close()
    """
    home = tmp_path / "home"
    home.mkdir()
    path = home / "audit.db"
    with running(path, "os.chdir(Path(path).parent)\n" + textwrap.dedent(program)) as started:
        started.ends()
    for n in range(3):
        names = [fields["action"] for fields in check_chain(home / f"{n}-audit.db")]
        assert [name for name in names if name != "log.recover"] == ["log.open", "before", "after"]


# --- gunicorn.

APP = """
import json, logging, logging.config, os, threading
from chained_logging import AuditLog

PATH, EVENT = {path!r}, {event!r}
kept = threading.local()

class Keep(logging.Handler):
    def emit(self, record):
        kept.id = record.audit_id

if {style!r} == "log":
    log = AuditLog(PATH)

    def record(number):
        return log.append("read", **EVENT, resource=("request", number)).id
else:
    logging.config.dictConfig({{
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {{
            "audit": {{"()": "chained_logging.AuditHandler", "path": PATH}},
            "keep": {{"()": Keep}},
        }},
        "loggers": {{"app": {{"level": "INFO", "handlers": ["audit", "keep"]}}}},
    }})

    def record(number):
        extra = {{"audit": True, **EVENT, "resource": ("request", number)}}
        logging.getLogger("app").info("read", extra=extra)
        return kept.id

def application(environ, start_response):
    body = json.dumps([os.getpid(), record(environ["PATH_INFO"].strip("/"))]).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
"""


@contextmanager
def gunicorn(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run gunicorn with four workers; yields the master and its port."""
    output = directory / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "app:application", "--workers", "4"]
    command += ["--worker-class", "gthread", "--threads", "2", "--bind", "127.0.0.1:0"]
    with output.open("wb") as file:
        master = subprocess.Popen(
            [*command, *options],
            cwd=directory,
            env={**os.environ, "HOME": str(directory)},  # it puts a socket there
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        listening = functools.partial(re.search, r"Listening at: http://127\.0\.0\.1:([1-9][0-9]*)")
        until(lambda: listening(output.read_text()) is not None, "gunicorn listens")
        found = listening(output.read_text())
        assert found is not None
        yield master, int(found[1])
    except BaseException:
        print(output.read_text())
        raise
    finally:
        if master.poll() is None:  # the workers notice that it is gone, and end
            master.kill()
            master.wait()


class Clients:
    """Threads that make requests, each of another number, until they are told to stop."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: dict[str, tuple[int, str]] = {}  # number -> the worker's pid, the audit id
        self.unanswered: set[str] = set()
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self, name: int) -> None:
        number = 0
        try:
            while not self._stop.is_set() and number < 5000:
                number += 1
                self._request(f"{name}-{number}")
        except BaseException as error:
            self.errors.append(error)

    def _request(self, number: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", f"/{number}")
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, body
            pid, id = json.loads(body)
            self.answers[number] = pid, id
        except (OSError, http.client.HTTPException) as error:
            self.unanswered.add(number)
            if isinstance(error, ConnectionRefusedError):
                time.sleep(0.01)
        finally:
            connection.close()

    def pids(self, after: int = 0) -> set[int]:
        return {pid for pid, _ in list(self.answers.values())[after:]}

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)
        assert not self.errors, self.errors


@pytest.mark.parametrize(
    ("suffix", "style", "preload"),
    some(
        [
            ("jsonl", "handler", True),
            ("jsonl", "log", False),
            ("db", "log", True),
            ("db", "handler", False),
        ],
        3,
    ),
)
def test_gunicorn(tmp_path: Path, suffix: str, style: str, preload: bool) -> None:
    if importlib.util.find_spec("gunicorn") is None:
        missing("gunicorn is not installed (pip install gunicorn)")
    path = tmp_path / f"audit.{suffix}"
    event = {key: value for key, value in EVENT.items() if key != "resource"}
    (tmp_path / "app.py").write_text(APP.format(path=str(path), event=event, style=style))
    with gunicorn(tmp_path, *(["--preload"] if preload else [])) as (master, port):
        clients = Clients(port)
        try:
            until(lambda: len(clients.answers) >= 100 and len(clients.pids()) == 4, "4 work")
            victim = min(clients.pids())
            os.kill(victim, signal.SIGKILL)
            killed_at = len(clients.answers)
            until(lambda: len(clients.pids(killed_at) - {victim}) == 4, "another took its place")
            before = clients.pids()
            master.send_signal(signal.SIGHUP)
            until(lambda: len(clients.pids() - before) == 4, "it was reloaded")
            wanted = max(300, len(clients.answers) + 50)
            until(lambda: len(clients.answers) >= wanted, f"{wanted} requests are answered")
            master.send_signal(signal.SIGTERM)
            assert master.wait(SECONDS) == 0
        finally:
            clients.stop()
    bodies = check_chain(path)
    assert verify(path).intact
    own = [fields for fields in bodies if fields["action"] != "read"]
    assert [fields["action"] for fields in own] == ["log.open"]
    # Each answered request stands there once, as what it was.
    requests = {fields["id"]: fields["resource_id"] for fields in bodies[1:]}
    answered = {id: number for number, (_, id) in clients.answers.items()}
    assert len(answered) == len(clients.answers)
    lost = answered.items() - requests.items()
    assert not lost, f"{len(lost)} of {len(answered)} are not in the log"
    # The others are of requests whose answer was lost with the worker, and stand there once too.
    assert max(Counter(requests.values()).values()) == 1
    assert set(requests.values()) - clients.answers.keys() <= clients.unanswered
    assert not Path(f"{path}.spill").exists()


# --- asyncio.


def test_asyncio_tasks_threads_and_processes_share_one_log(path: Path) -> None:
    program = """
        import asyncio, logging
        import chained_logging

        log = AuditLog(path)
        logging.basicConfig(handlers=[chained_logging.AuditHandler(log=log)], level="INFO")
        logger = chained_logging.get_logger("app")
        me = os.getpid()

        async def task(n):
            with chained_logging.context(actor=f"{me}-{n}", ip="10.0.0.1"):
                logger.info("task", audit=True, resource=("task", f"{me}-{n}"))
                await asyncio.sleep(0)
                note(log.append("direct", **EVENT))
                await asyncio.to_thread(
                    logger.info, "in a thread", audit=True, resource=("task", f"{me}-{n}")
                )

        async def main():
            await asyncio.gather(*(task(n) for n in range(200)))

        def beside():
            for n in range(50):
                note(log.append("beside", **EVENT))

        thread = threading.Thread(target=beside)
        thread.start()
        asyncio.run(main())
        thread.join()
        log.close()
    """
    with running(path, program) as one, running(path, program) as two:
        one.ends()
        two.ends()
    bodies = check_chain(path)
    assert verify(path).intact
    names = Counter(fields["action"] for fields in bodies)
    assert names == {"log.open": 1, "task": 400, "in a thread": 400, "direct": 400, "beside": 100}
    for name in ("task", "in a thread"):
        tasks = [fields for fields in bodies if fields["action"] == name]
        assert len({fields["resource_id"] for fields in tasks}) == 400
        assert all(fields["actor_id"] == fields["resource_id"] for fields in tasks)


# --- A process that dies while it holds the lock.


def locked(path: Path) -> bool:
    with open(f"{path}.lock", "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("where", ["before", "middle", "after"])
def test_a_process_that_is_killed_while_it_holds_the_lock(path: Path, where: str) -> None:
    program = """
        log = AuditLog(path, sync_interval=1000)
        note(log.append("before", **EVENT))
        def stop_here():
            print("here", flush=True)
            time.sleep(1000)
        write, os_write = log._sink.write, os.write
        def patched(records):
            if sys.argv[2] == "before":
                stop_here()
            write(records)
            stop_here()
        def half(fd, data):
            os_write(fd, data[: 2 * len(data) // 3])
            stop_here()
        if sys.argv[2] != "middle":
            log._sink.write = patched
        elif path.endswith(".jsonl"):
            os.write = half
        else:
            log._sink._connection.set_trace_callback(lambda sql: sql == "COMMIT" and stop_here())
        log.append_many([{"action": "its", **EVENT}] * 2)
    """
    with running(path, program, where) as started:
        started.says("here")
        assert locked(path)
        with open(f"{path}.lock", "rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        results: list[Any] = []

        def other() -> None:
            with AuditLog(path) as log:
                results.append(log.append("other", **EVENT))
                results.append(time.monotonic())

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        assert not results, "it did not wait for the lock"
        os.kill(started.pid, signal.SIGKILL)
        killed = time.monotonic()
        thread.join(SECONDS)
        entry, at = results
        assert at - killed < 2
    names = [fields["action"] for fields in check_chain(path)]
    assert verify(path).intact
    torn = where == "middle" and path.suffix == ".jsonl"
    expected = ["log.open", "before"]
    expected += ["its"] * 2 if where == "after" else []
    expected += ["its", "log.recover"] if torn else []  # one of its lines was whole
    assert names == [*expected, "other"]
    assert entry.action == "other"


# --- Clocks.


def test_clocks_that_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, hour = time.time_ns, 3600 * 10**9
    steps = [0, -hour, hour, -hour, 0, 50 * 365 * 24 * hour, -real(), 0]
    step = 0
    monkeypatch.setattr(time, "time_ns", lambda: max(0, real() + step))
    with AuditLog(path) as one, AuditLog(path) as other:
        for step in steps:  # noqa: B007 (read by the clock)
            for log in (one, other):
                log.append("read", **EVENT)
                log.append_many([{"action": "many", **EVENT}] * 2)
    bodies = check_chain(path)
    times = [fields["timestamp"] for fields in bodies]
    ids = [fields["id"] for fields in bodies]
    assert len(bodies) == 1 + 6 * len(steps)
    assert sum(a > b for a, b in itertools.pairwise(times)) == 3  # the clock did step back
    assert ids != sorted(ids)
    assert [fields["seq"] for fields in bodies] == list(range(len(bodies)))
    report = verify(path)
    assert report.intact, report.faults[:3]
    with AuditLog(path) as log:
        assert [entry.seq for entry in log.entries()] == list(range(len(bodies)))


def test_rotation_by_age_when_clocks_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    real, step = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + step)
    with AuditLog(path, max_age=600, sync_interval=0.01) as log:
        log.append("a", **EVENT)
        step = -3600.0
        log.append("b", **EVENT)
        lock = Path(f"{path}.lock")  # the place is noted in it whenever the log was tended
        until(lambda: int(lock.read_text().split()[0]) == 2, "the log was tended")
        assert list(tmp_path.glob("audit.0*")) == []
        step = 3600.0
        until(lambda: len(list(tmp_path.glob("audit.0*"))) == 1, "the segment is sealed")
        log.append("c", **EVENT)
        assert log.stats()["last_error"] is None
    report = verify(*tmp_path.glob("audit*.jsonl"))
    assert (report.intact, report.entries) == (True, 4)


# --- One log under many names.


def together(path: Path, *names: str | os.PathLike[str]) -> None:
    """Append from a log of each name at once, and check that it is one chain with one lock."""
    logs = [AuditLog(name) for name in (path, *names)]

    def work(log: AuditLog, number: int) -> None:
        for n in range(20):
            log.append(f"{number}-{n}", **EVENT)

    threads = [threading.Thread(target=work, args=(log, n)) for n, log in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs:
        log.close()
    actions = [fields["action"] for fields in check_chain(path)]
    assert len(actions) == len(set(actions)) == 1 + 20 * len(logs)
    locks = {file for top in {path.parent, path.parent.parent} for file in top.rglob("*.lock")}
    assert [lock.resolve() for lock in locks] == [Path(f"{path}.lock")] * len(locks)


def test_one_log_by_many_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in ("jsonl", "db"):
        home = tmp_path / suffix / "home"
        (home / "below").mkdir(parents=True)
        path = home / f"audit.{suffix}"
        (tmp_path / suffix / "directory").symlink_to(home)
        link = tmp_path / suffix / f"link.{suffix}"
        link.symlink_to(path)  # to a file that is not there yet
        twice = tmp_path / suffix / f"twice.{suffix}"
        twice.symlink_to(link)
        monkeypatch.chdir(home)
        names: list[str | os.PathLike[str]] = [
            path.name,
            f"./{path.name}",
            f"below/../{path.name}",
            f"{home}//{path.name}",
            f"//{path}".replace("///", "//"),
            f"{home}/./below/..//{path.name}",
            tmp_path / suffix / "directory" / path.name,
            link,
            twice,
        ]
        together(path, *names)


def test_a_log_that_is_made_through_a_link(path: Path) -> None:
    target = path.parent / "elsewhere" / path.name
    target.parent.mkdir()
    path.symlink_to(target)
    with AuditLog(path) as a, AuditLog(target) as b:
        seqs = [log.append("read", **EVENT).seq for log in (a, b, a)]
    assert seqs == [1, 2, 3]
    assert len(check_chain(target)) == 4
    assert not Path(f"{path}.lock").exists()


def test_a_hard_link_that_is_made_under_a_running_writer(path: Path) -> None:
    other = path.with_name("other" + path.suffix)
    with AuditLog(path) as log:
        log.append("a", **EVENT)
        os.link(path, other)
        with pytest.raises(ForeignFile, match="hard link"):
            AuditLog(other)
        log.append("b", **EVENT)
        other.unlink()
        with AuditLog(path) as again:
            again.append("c", **EVENT)
        log.append("d", **EVENT)
    assert [fields["action"] for fields in check_chain(path)] == ["log.open", *"abcd"]


def test_the_directory_is_changed_between_appends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(path.parent)
    with AuditLog(path.name, spill="kept.spill") as log:
        log.append("a", **EVENT)
        monkeypatch.chdir(elsewhere)
        log.append("b", **EVENT)
        before = len(check_chain(path))
        # What makes it open its files by their names once more.
        shutil.move(path, f"{path}.moved")
        for name in (f"{path}-wal", f"{path}-shm", f"{path}.lock"):
            if os.path.exists(name):
                shutil.move(name, f"{path.parent}/moved{name[len(str(path)) :]}")
        log.append("c", **EVENT)
        assert list(elsewhere.iterdir()) == []
    assert before == 3
    assert path.exists()
    assert list(elsewhere.iterdir()) == []


def test_a_relative_spill_file_when_the_directory_is_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(path.parent)
    log = AuditLog(path.name, spill="kept.spill")
    monkeypatch.chdir(elsewhere)
    write = log._sink.write

    def failing(records: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(log._sink, "write", failing)
    with pytest.warns(UserWarning, match="Input/output error"):
        log.append("kept", **EVENT)
    found = [name.name for name in (path.parent, elsewhere) if (name / "kept.spill").exists()]
    monkeypatch.setattr(log._sink, "write", write)
    log.close()
    assert found == [path.parent.name], "the next run, started where this one was, finds none"


def in_own_mounts(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a shell script as root in a mount namespace of its own: no mount outlives it."""
    if not ROOT or sys.platform != "linux":
        pytest.skip("mounts are made by root, on Linux")
    unshare = needed("unshare", "util-linux")
    if subprocess.run([unshare, "-m", "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make mounts")
    command = [unshare, "-m", "sh", "-euc", script, "sh", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


WRITER = textwrap.dedent(f"""
    import sys
    from chained_logging.log import AuditLog
    log = AuditLog(sys.argv[1], on_failure="raise")
    print("open", flush=True)
    for n in range(int(sys.argv[2])):
        log.append(str(n), **{EVENT!r})
    log.close()
""")


def test_a_directory_that_is_mounted_twice(path: Path) -> None:
    home, again = path.parent / "home", path.parent / "again"
    home.mkdir()
    again.mkdir()
    script = 'mount --bind "$1" "$2"; "$3" "$4" "$1/$5" 150 & "$3" "$4" "$2/$5" 150; wait $!'
    program = path.with_name("writer.py")
    program.write_text(WRITER)
    done = in_own_mounts(script, home, again, sys.executable, program, path.name)
    assert done.returncode == 0, done.stderr
    report = verify(home / path.name)
    assert (report.intact, report.entries) == (True, 301), report.faults[:3]


def test_a_file_that_is_mounted_twice_is_refused(path: Path) -> None:
    # `docker run -v /var/log/audit.jsonl:/audit.jsonl`: the lock beside it is another file.
    home, again = path.parent / "home", path.parent / "again"
    home.mkdir()
    again.mkdir()
    with AuditLog(home / path.name) as log:
        log.append("a", **EVENT)
    (again / path.name).touch()
    script = 'mount --bind "$1" "$2"; exec "$3" "$4" "$2" 1'
    program = path.with_name("writer.py")
    program.write_text(WRITER)
    names = (home / path.name, again / path.name)
    done = in_own_mounts(script, *names, sys.executable, program)
    assert done.returncode != 0, "it was opened, with a lock of its own"
    assert "open" not in done.stdout
    assert path.name in done.stderr
    assert "mount" in done.stderr.splitlines()[-1], done.stderr.splitlines()[-1]
    assert len(check_chain(home / path.name)) == 2
