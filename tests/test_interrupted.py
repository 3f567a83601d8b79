"""What comes in the middle of an append: a signal handler that raises, a fork beside threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chained_logging import verify

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
import os, re2, signal, sys, threading
from chained_logging import AuditLog
from chained_logging.redact import Redactor

redact = Redactor(patterns=["zz+top"])
event = {"context": {"n": "password=" + "a b c d e f " * 4000 + " zztop"}}
stopped = False
def work():
    while not stopped: redact(event)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
late = []
for _ in range(12):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # ends a child that waits for ever
        fine = "zztop" not in str(redact(event))
        os._exit(0 if fine else 1)
    late.append(os.waitpid(pid, 0)[1])
stopped = True
for thread in threads: thread.join()
print(late)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_redacts_that_was_forked_while_others_did(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORKED], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str([0] * 12)
