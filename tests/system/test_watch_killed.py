"""``watch`` is killed at random: nothing is raised twice, and what is wrong is told of."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from chains import EVENT
from feed_receiver import SECRET
from folders import ROOT
from mail_server import free_port

from chained_logging import AuditEntry, AuditLog
from chained_logging.review.opening import stored
from chained_logging.ship.progress import Progress, write_progress
from chained_logging.verify import verify

SUPPORT = ROOT / "tests" / "support"
WRONG = 8


def start(*words: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CHAINED_LOGGING_WEBHOOK_SECRET": SECRET}
    environment["PYTHONPATH"] = str(SUPPORT)
    return subprocess.Popen([sys.executable, *map(str, words)], env=environment)


@pytest.mark.parametrize("suffix", [pytest.param(".jsonl", marks=pytest.mark.long), ".db"])
def test_each_thing_that_is_wrong_is_raised_once_and_delivered(tmp_path: Path, suffix: str) -> None:
    path, taken, port = tmp_path / f"audit{suffix}", tmp_path / "taken", free_port()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    receiver = start(SUPPORT / "alert_receiver.py", port, taken)

    def watcher() -> subprocess.Popen[bytes]:
        url = f"http://127.0.0.1:{port}/hook"
        options = ("--interval", 0.05, "--max-lag", 0, "--to", url)
        return start("-m", "chained_logging", "watch", path, *options)

    with AuditLog(path) as log:
        log.append("read", **EVENT)
    watching = watcher()
    for number in range(WRONG):  # a destination that falls behind
        write_progress(path, Progress(f"postgresql://db-{number}/audit", seq=-1))
        time.sleep(chance.uniform(0, 1.5))
        watching.kill()
        watching.wait()
        watching = watcher()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [entry for entry in stored(str(path)) if is_about_shipping(entry)]
        if len(found) >= WRONG and ids(taken) >= {entry.fields["id"] for entry in found}:
            break
        time.sleep(0.2)
    for process in (watching, receiver):
        process.kill()
        process.wait()
    lagging = [entry for entry in stored(str(path)) if is_about_shipping(entry)]
    expected = Counter(f"postgresql://db-{number}/audit" for number in range(WRONG))
    assert Counter(entry.context["subject"] for entry in lagging) == expected
    assert ids(taken) >= {entry.fields["id"] for entry in lagging}
    assert verify(path).intact


def is_about_shipping(entry: AuditEntry) -> bool:
    return entry.action == "alert.raise" and entry.context["rule"] == "watch-shipping"


def ids(taken: Path) -> set[str]:
    return set(taken.read_text().split()) if taken.exists() else set()
