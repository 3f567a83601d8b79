"""What comes in the middle of an append: a signal handler that raises, a fork beside threads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from chained_logging import verify
from chained_logging.redact import expression
from chained_logging.redact.names import compile_bytes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals and forks")

_INTERRUPTED = """
import signal, sys, time
from chained_logging import AuditLog

class TooLong(Exception): ...
def ring(*_): raise TooLong

signal.signal(signal.SIGALRM, ring)
log = AuditLog(sys.argv[1])
interrupted = returned = 0
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0004)
        for _ in range(50):
            log.append("read", actor="u", resource="p/1", ip="10.0.0.1")
            returned += 1
    except TooLong:
        interrupted += 1
log.close()
print(interrupted, returned)
"""


def test_a_time_limit_strikes_anywhere_in_an_append(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    ran = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, str(path)], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    interrupted, returned = map(int, ran.stdout.split())
    assert interrupted > 100
    report = verify(path)
    assert report.status == "intact", report
    assert report.entries > returned  # what an interrupt came too late for is stored too


_FORKED = """
import os, signal, sys, threading, time
from chained_logging.redact import expression
from chained_logging.redact.names import compile_bytes

# An automaton that never has all of its states, so that a search is in RE2's lock most of the time.
found = compile_bytes(b"[ab]*a[ab]{14}c")
patience = float(sys.argv[1])
stopped = False
def work():
    while not stopped: found.search(os.urandom(2000).translate(b"ab" * 128))
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
time.sleep(0.2)  # what RE2 sets up at the first contention of a process is done
expression._PATIENCE = patience
statuses = []
while len(statuses) < 12 and not any(statuses):
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)  # ends a child that waits for ever
        found.search(b"abab")
        os._exit(0)
    statuses.append(os.waitpid(pid, 0)[1])
stopped = True
for thread in threads: thread.join()
print(statuses)
"""


@pytest.mark.parametrize("patience", [5, 0], ids=["waits", "compiles anew"])
def test_a_child_searches_that_was_forked_while_others_did(patience: int) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORKED, str(patience)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str([0] * 12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_waits_until_nobody_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    # RE2 has locks that all expressions share, which no child could make anew.
    monkeypatch.setattr(expression, "_PATIENCE", 20)
    searching, leave, asked, statuses = Event(), Event(), Event(), list[int]()

    def pause(_: object) -> bytes:
        searching.set()
        leave.wait(20)
        return b""

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        statuses.append(os.waitpid(pid, 0)[1])

    def sleep(seconds: float) -> None:
        asked.set()
        leave.wait(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    threads = [Thread(target=compile_bytes(b"a").sub, args=(pause, b"a")), Thread(target=fork)]
    threads[0].start()
    assert searching.wait(20)
    threads[1].start()
    assert asked.wait(20)
    assert statuses == []
    leave.set()
    for thread in threads:
        thread.join(20)
    assert statuses == [0]
