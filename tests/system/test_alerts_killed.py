"""``alerts --follow`` and its receiver are killed at random: each alert is raised once, and
delivered at least once."""

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

from chained_logging import AuditLog
from chained_logging.review.opening import stored
from chained_logging.verify import verify

SUPPORT = ROOT / "tests" / "support"
ALERTS = 30


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CHAINED_LOGGING_WEBHOOK_SECRET": SECRET}
    environment["PYTHONPATH"] = str(SUPPORT)
    words = [sys.executable, str(SUPPORT / program), *map(str, arguments)]
    return subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)


def kill(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("suffix", [pytest.param(".jsonl", marks=pytest.mark.long), ".db"])
def test_no_alert_is_lost_and_none_is_raised_twice(tmp_path: Path, suffix: str) -> None:
    path, taken, port = tmp_path / f"audit{suffix}", tmp_path / "taken", free_port()
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)

    def receiver() -> subprocess.Popen[bytes]:
        return start("alert_receiver.py", port, taken)

    def follower() -> subprocess.Popen[bytes]:
        url = f"http://127.0.0.1:{port}/hook"
        return start("alerting.py", "alerts", path, "--follow", "--interval", 0.05, "--to", url)

    with AuditLog(path) as log:
        log.append("read", **EVENT)
        running = [receiver(), follower()]
        for number in range(ALERTS):
            log.append("read", **(EVENT | {"actor": f"user-{number}", "result": "denied"}))
            time.sleep(chance.uniform(0, 0.2))
            if chance.random() < 0.4:
                which = chance.randrange(2)
                kill(running[which])
                running[which] = (receiver, follower)[which]()
        deadline = time.monotonic() + 60
        while len(ids(taken)) < ALERTS and time.monotonic() < deadline:
            time.sleep(0.1)
    kill(*running)
    raised = [entry for entry in stored(str(path)) if entry.action == "alert.raise"]
    subjects = Counter(entry.context["subject"] for entry in raised)
    assert subjects == Counter(f"user-{number}" for number in range(ALERTS))
    assert ids(taken) == {entry.fields["id"] for entry in raised}
    assert verify(path).intact


def ids(taken: Path) -> set[str]:
    return set(taken.read_text().split()) if taken.exists() else set()
