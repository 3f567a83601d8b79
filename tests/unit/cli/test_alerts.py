"""``alerts``, ``acknowledge`` and ``suppress``, as people run them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from chains import EVENT
from commands import command
from folders import ROOT

from chained_logging import AuditLog
from chained_logging.review.opening import stored

PROGRAM = (ROOT / "tests" / "support" / "alerting.py",)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return command(*arguments, program=PROGRAM)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as opened:
        opened.append("read", **(EVENT | {"result": "denied", "actor": "ann\x1b[2J"}))
    return path


def test_alerts_are_raised_listed_and_acknowledged(log: Path) -> None:
    first = run("alerts", log)
    assert first.returncode == 1
    assert "2  20" in first.stdout
    assert "high      denials: ann\\x1b[2J was denied" in first.stdout
    assert "1 alert is open" in first.stdout
    done = run("acknowledge", log, 2, "--reason", "a drill")
    assert done.stdout == "alert 2 is acknowledged; 0 alerts are open\n"
    second = run("alerts", log)
    assert (second.returncode, second.stdout) == (0, "0 alerts are open\n")
    assert [entry.reason for entry in stored(str(log))][-1] == "a drill"


def test_json_is_an_alert_a_line(log: Path) -> None:
    (line,) = run("alerts", log, "--json").stdout.splitlines()
    said = json.loads(line)
    assert (said["type"], said["seq"], said["entries"]) == ("alert.raise", 2, [1])


def test_a_rule_is_suppressed_for_some_days(log: Path) -> None:
    said = run("suppress", log, "--rule", "denials", "--days", 3, "--reason", "a migration")
    assert said.stdout.startswith("denials raises no alerts until 20")
    quiet = run("alerts", log)
    assert (quiet.returncode, quiet.stderr) == (0, "suppressed: 1\n")
    run("suppress", log, "--rule", "denials", "--days", 0, "--reason", "it is done")
    with AuditLog(log) as opened:
        opened.append("read", **(EVENT | {"result": "denied"}))
    assert run("alerts", log).returncode == 1


def test_what_does_not_reach_its_target_is_said(log: Path) -> None:
    done = run("alerts", log, "--to", "command:/bin/false")
    assert done.returncode == 2
    assert "an alert did not reach command:/bin/false: it exited with 1" in done.stderr
    assert [entry.action for entry in stored(str(log))][2:] == ["alert.raise", "alert.undelivered"]


def test_a_copy_says_that_it_remembers_nothing(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(log.read_bytes())
    done = run("alerts", copy)
    assert done.returncode == 1
    assert "alerts are not recorded" in done.stderr
    assert "-  20" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acknowledge", "LOG", "1", "--reason", "x"], "entry 1 raises no alert"),
        (["alerts", "LOG", "--to", "ftp://u:hunter2@host/"], "is not a target of alerts"),
        (["alerts", "LOG", "--interval", "3"], "--interval"),
        (["suppress", "LOG", "--rule", "r", "--days", "400", "--reason", "x"], "--days"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    log: Path, arguments: list[str], said: str
) -> None:
    done = run(*[str(log) if word == "LOG" else word for word in arguments])
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
