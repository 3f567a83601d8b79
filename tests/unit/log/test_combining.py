"""Threads that wait for one append are written together, and none suffers for another."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain, stored
from programs import noted, running
from thorough import some

from chained_logging.errors import Failure, StoreError
from chained_logging.format.record import Record
from chained_logging.log import AuditLog, AuditWarning
from chained_logging.log.memory import Memory
from chained_logging.log.spill import Spill
from chained_logging.verify import verify

THREADS = 8


class Crowd:
    """A thread inside an append that waits for the lock of processes, and others behind it.

    :ivar outcome: what each call returned or raised, by its action.
    :ivar writes: how many entries each write had.
    """

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self.outcome: dict[str, Any] = {}
        self.writes: list[int] = []
        self.writers: list[tuple[str, int]] = []
        self._releasing = threading.Lock()
        log._parts.state.file_lock.patience = None
        self._lock = os.open(f"{log.path}.lock", os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        write = log._sink.write

        def counted(records: Sequence[Record]) -> None:
            self.writes.append(len(records))
            self.writers.append((threading.current_thread().name, len(records)))
            write(records)

        log._sink.write = counted  # type: ignore[method-assign]
        self.write = counted
        self._threads = [self._start("first")]
        wait_for(lambda: log._parts.state.writing != 0)
        for n in range(THREADS):
            self._threads.append(self._start(f"waits-{n}"))
        wait_for(lambda: len(log._writer._group._queue) == THREADS)

    def _start(self, action: str) -> threading.Thread:
        def call() -> None:
            try:
                self.outcome[action] = self.log.append(action, **EVENT)
            except BaseException as error:
                self.outcome[action] = error

        thread = threading.Thread(target=call, name=action, daemon=True)
        thread.start()
        return thread

    def release(self) -> None:
        """Let the first of them go on."""
        with self._releasing:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def go(self) -> dict[str, Any]:
        self.release()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive(), "a caller waits for ever"
        return self.outcome


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def check(path: Path, outcome: dict[str, Any]) -> list[str]:
    """Check that each entry told as stored is where it was said, once; return all actions."""
    bodies = check_chain(path)
    rows = stored(path)
    for action, entry in outcome.items():
        if not isinstance(entry, BaseException) and entry.hash is not None:
            assert rows[entry.seq] == (entry.seq, entry.body, entry.hash)
            assert bodies[entry.seq]["action"] == action
    names = [fields["action"] for fields in bodies]
    assert len(set(names)) == len(names)
    return names


EVERYBODY = {"log.open", "first", *(f"waits-{n}" for n in range(THREADS))}


def test_who_waits_together_is_written_at_once_and_gets_its_own_entry(path: Path) -> None:
    with AuditLog(path) as log:
        crowd = Crowd(log)
        outcome = crowd.go()
        assert crowd.writes == [1, THREADS]
        assert log.stats()["appended"] == THREADS + 1
        assert [outcome[name].action for name in outcome] == list(outcome)
    assert set(check(path, outcome)) == EVERYBODY


@pytest.mark.parametrize("on_failure", ["continue", "raise"])
@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left"), StoreError("disk is full")], ids=repr
)
def test_a_full_disk_reaches_each_of_them_and_each_is_spilled_once(
    path: Path, failure: Failure, on_failure: Any
) -> None:
    with AuditLog(path, on_failure=on_failure, sync_interval=1000) as log:
        crowd = Crowd(log)

        def full(records: Sequence[Record]) -> None:
            crowd.writes.append(len(records))
            raise failure

        log._sink.write = full  # type: ignore[method-assign]
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", AuditWarning)
            outcome = crowd.go()
        log._sink.write = crowd.write  # type: ignore[method-assign]
        stats = log.stats()
        assert stats["failed"] == THREADS + 1
        if on_failure == "raise":
            assert {str(error) for error in outcome.values()} == {str(failure)}
            assert {type(error) for error in outcome.values()} == {type(failure)}
            assert len({id(error) for error in outcome.values()}) == THREADS + 1
            assert stats["spilled"] == 0
        else:
            assert len(warned) == THREADS + 1
            assert all(entry.hash is None for entry in outcome.values())
            assert stats["spilled"] == THREADS + 1
        log.append("last", **EVENT)
    names = set(check(path, outcome))
    assert names == ({"log.open", "last"} if on_failure == "raise" else EVERYBODY | {"last"})


@pytest.mark.parametrize("durability", ["os", "fsync"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_of_the_one_that_writes_for_all_reaches_no_other(
    path: Path, durability: Any, when: str, interrupt: type[BaseException]
) -> None:
    with AuditLog(path, durability=durability) as log:
        crowd = Crowd(log)

        def interrupted(records: Sequence[Record]) -> None:
            if len(records) < THREADS or crowd.writes.count(THREADS):
                return crowd.write(records)
            if when == "after":
                crowd.write(records)
            crowd.writes.append(THREADS)
            raise interrupt

        log._sink.write = interrupted  # type: ignore[method-assign]
        outcome = crowd.go()
    hit = [name for name, found in outcome.items() if isinstance(found, BaseException)]
    assert len(hit) == 1
    assert isinstance(outcome[hit[0]], interrupt)
    names = set(check(path, outcome))
    assert names == (EVERYBODY if when == "after" else EVERYBODY - {hit[0]})


def test_a_signer_that_fails_for_one_fails_for_no_other(path: Path) -> None:
    pytest.importorskip("cryptography")
    from chained_logging.keys import PrivateKey

    key = PrivateKey.generate()

    class Signer:
        public_key = key.public_key

        def sign(self, message: bytes) -> bytes:
            if threading.current_thread().name == "waits-3":
                raise RuntimeError("the token was pulled out")
            return key.sign(message)

    for round in range(12):  # another one may lead
        target = path.with_name(f"{round}-{path.name}")
        with AuditLog(target, key=Signer(), sign="each") as log:
            outcome = Crowd(log).go()
            entries = list(log.entries())
        failed = {name for name, found in outcome.items() if isinstance(found, BaseException)}
        assert failed <= {"waits-3"}
        assert verify(target).intact
        assert sorted(entry.action for entry in entries) == sorted(EVERYBODY - failed)
        assert all(entries[outcome[name].seq] == outcome[name] for name in outcome.keys() - failed)


def test_what_comes_up_in_the_main_thread_while_it_waits_hurts_nobody(path: Path) -> None:
    with AuditLog(path) as log:
        crowd = Crowd(log)
        previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with pytest.raises(KeyboardInterrupt):
                log.append("main", **EVENT)
        finally:
            signal.signal(signal.SIGALRM, previous)
        outcome = crowd.go()
    assert set(check(path, outcome)) == EVERYBODY


def test_the_main_thread_writes_for_itself_alone(path: Path) -> None:
    # For its signal handlers raise in the middle of anything.
    with AuditLog(path) as log:
        crowd = Crowd(log)
        threading.Timer(0.05, crowd.release).start()
        log.append("main", **EVENT)
        outcome = crowd.go()
        assert dict(crowd.writers).get("MainThread", 1) == 1
    assert set(check(path, outcome)) == EVERYBODY | {"main"}


@pytest.mark.parametrize("size", [1, THREADS])
def test_an_append_in_the_middle_of_an_append_puts_off_no_other_thread(
    path: Path, size: int
) -> None:
    # What a finaliser does, in a thread that is not the main one.
    with AuditLog(path) as log:
        crowd = Crowd(log)

        def nested(records: Sequence[Record]) -> None:
            if len(records) < size:
                return crowd.write(records)
            log._sink.write = crowd.write  # type: ignore[method-assign]
            crowd.outcome["inner"] = log.append("inner", **EVENT)
            crowd.write(records)

        log._sink.write = nested  # type: ignore[method-assign]
        outcome = crowd.go()
        assert outcome.pop("inner").hash is None
        assert all(entry.hash for entry in outcome.values())
    assert set(check(path, outcome)) == EVERYBODY | {"inner"}


@pytest.mark.parametrize("spill", ["spill", "no-such-folder/spill"])
def test_what_was_logged_in_the_middle_of_an_append_is_there_once_after_an_interrupt(
    path: Path, spill: str
) -> None:
    log = AuditLog(path, spill=path.parent / spill)
    write, stage = log._sink.write, ["outer"]

    def interrupted(records: Sequence[Record]) -> None:
        if stage[0] == "outer":
            stage[0] = "inner"
            log.append("inner", **EVENT)
            write(records)
        elif stage[0] == "inner":
            stage[0] = "over"
            write(records)
            raise KeyboardInterrupt  # as a signal handler may raise when the write has returned
        else:
            write(records)

    log._sink.write = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        log.append("outer", **EVENT)
    log.append("last", **EVENT)
    log.close()
    assert sorted(check(path, {})) == sorted(["log.open", "outer", "inner", "last"])


def test_what_was_spilled_twice_because_of_an_interrupt_is_chained_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    log = AuditLog(path, spill=path.with_name("spill"), sync_interval=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuditWarning)
        with monkeypatch.context() as patched:
            patched.setattr(log._sink, "write", full)
            with monkeypatch.context() as both:
                both.setattr(Spill, "add", full)
                log.append("first", **EVENT)  # waits in memory
            with monkeypatch.context() as late:
                late.setattr(Memory, "remove", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    log.append("second", **EVENT)  # both are spilled, and the first waits still
            log.append("third", **EVENT)
        log.append("last", **EVENT)
    log.close()
    assert check(path, {}) == ["log.open", "first", "second", "third", "last"]


def test_a_closed_log_tells_each_that_waited(path: Path) -> None:
    log = AuditLog(path)
    crowd = Crowd(log)
    closer = threading.Thread(target=log.close)
    closer.start()
    outcome = crowd.go()
    closer.join(20)
    told = {name for name, found in outcome.items() if isinstance(found, BaseException)}
    assert all("closed" in str(outcome[name]) for name in told)
    assert set(check(path, outcome)) == EVERYBODY - told


ROUNDS = int(os.environ.get("COMBINING_ROUNDS", "2"))

STRESS = """
    import itertools, random, warnings
    choose = random.Random({seed})
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
    log = AuditLog(path, durability={durability!r})
    numbers, stop = itertools.count(), threading.Event()
    def work(seed):
        choose = random.Random(seed)
        while not stop.is_set():
            if choose.random() < 0.2:
                note(*log.append_many([{{"action": f"a-{{next(numbers)}}", **EVENT}}] * 3))
            else:
                note(log.append(f"a-{{next(numbers)}}", **EVENT))
    handled, forking = [], False
    def handler(*_):  # in the middle of an append of this thread it is put off
        if forking: return
        handled.append(log.append("handled", **EVENT).id)
        signal.setitimer(signal.ITIMER_REAL, 0.003)
    class Late(Exception): pass
    def late(*_): raise Late
    threads = [threading.Thread(target=work, args=(choose.random(),)) for _ in range(8)]
    for thread in threads: thread.start()
    signal.signal(signal.SIGALRM, handler)
    signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.003)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        try:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, choose.random() * 0.002)
                note(log.append("main", **EVENT))
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except Late:  # once at most, and perhaps not before the `finally`
            pass
        if choose.random() < 0.02:
            forking = True
            pid = os.fork()
            if pid == 0:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.alarm(0)
                note(log.append("child", **EVENT))
                os._exit(0)
            while True:
                try:
                    assert os.waitpid(pid, 0)[1] == 0
                    break
                except Late:
                    pass
            forking = False
            signal.setitimer(signal.ITIMER_REAL, 0.003)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    stop.set()
    for thread in threads: thread.join()
    log.close()
    print(*handled)
"""


@pytest.mark.parametrize("durability", some(["fsync", "os"], 2))
def test_threads_forks_handlers_and_time_limits_at_once(path: Path, durability: str) -> None:
    for round in range(ROUNDS):
        seed = int(os.environ.get("CRASH_SEED") or random.SystemRandom().randrange(1_000_000))
        print(f"CRASH_SEED={seed}")
        folder = path.with_name(str(round))
        folder.mkdir()
        target = folder / path.name
        with running(target, STRESS.format(seed=seed, durability=durability)) as program:
            handled = program.line().split()
            program.ends()
            assert program.errors() == ""
        bodies = check_chain(target)
        found = {fields["id"]: fields["seq"] for fields in bodies}
        told = {id: seq for id, (seq, _) in noted(target).items()}
        assert told.items() <= found.items()
        assert set(handled) <= found.keys()
        # Of threads nothing is there that they were not told of.
        of_threads = {fields["id"] for fields in bodies if fields["action"].startswith("a-")}
        assert of_threads <= told.keys()
