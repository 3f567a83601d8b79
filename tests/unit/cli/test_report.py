"""``report`` writes one file, the same again, and the log records who made it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import command, run
from periods import event, write_log

PERIOD = ("--from", "2024-11-01Z", "--to", "2024-12-01Z")
EVENTS = [event(n, actor=f"user-{n % 3}") for n in range(40)]


@pytest.fixture
def filled(signed: tuple[Path, Path, Path]) -> Path:
    path, key, _ = signed
    write_log(path, EVENTS, key=str(key))
    return path


def made(path: Path, name: str = "report.html", *options: object, status: int = 0) -> bytes:
    target = path.with_name(name)
    done = command("report", path, "--standard", "soc2", *PERIOD, "-o", target, *options)
    assert done.returncode == status, done.stderr
    return target.read_bytes()


def read(path: Path) -> list[dict[str, Any]]:
    printed = run("query", path, "--action", "audit_log.read", "--json").splitlines()
    return list(map(json.loads, printed))


def test_the_same_command_makes_the_same_bytes(filled: Path) -> None:
    first = made(filled)
    assert made(filled, "again.html") == first
    assert b"Intact: no entry was changed" in first
    assert (filled.with_name("report.html").stat().st_mode & 0o777) == 0o600


def test_the_command_in_a_report_makes_it_again_when_the_log_has_grown(filled: Path) -> None:
    first = made(filled)
    write_log(filled, EVENTS, key=str(filled.with_name("audit.key")))
    assert made(filled, "later.html") != first
    (size,) = re.findall(rb"--size (\d+)", first)
    assert made(filled, "again.html", "--size", size.decode()) == first


def test_the_reading_is_recorded(filled: Path) -> None:
    made(filled, "report.html", "--reason", "audit of 2024")
    (entry,) = read(filled)
    assert entry["reason"] == "audit of 2024"
    assert entry["context"]["how"] == "report"
    assert entry["context"]["standard"] == "soc2"
    assert entry["context"]["entries"] == 9  # days 31 to 39
    assert "since=2024-11-01" in entry["context"]["filter"]


def test_a_log_that_was_tampered_with_has_a_report_that_says_so(filled: Path) -> None:
    if filled.suffix != ".jsonl":
        pytest.skip("a database refuses to be changed so simply: see test_page.py")
    filled.write_bytes(filled.read_bytes().replace(b"user-2", b"user-9", 1))
    report = made(filled, status=1)
    assert b'class="verdict tampered"' in report
    assert made(filled, "again.html", status=1) == report


def test_a_log_that_cannot_be_read_has_a_report_all_the_same(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b'{"a": [' + b"\n", *lines[6:]]))
    report = made(path, status=1)
    assert b'class="verdict tampered"' in report


def test_what_is_there_is_not_written_over(filled: Path) -> None:
    made(filled)
    done = command("report", filled, "--standard=pci", "-o", filled.with_name("report.html"))
    assert (done.returncode, "is there already" in done.stderr) == (2, True)


def test_without_a_period_it_is_about_the_last_days_with_entries(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(-9), event(0)])
    target = tmp_path / "report.html"
    run("report", path, "--standard", "gdpr", "-o", target, "--size", "1")
    assert b"Audit report for GDPR" in target.read_bytes()


def test_a_checklist_is_added_when_asked_for(filled: Path) -> None:
    assert b'id="checklist"' not in made(filled)
    html = made(filled, "with.html", "--checklist").decode()
    assert '<section id="checklist"' in html
    assert "Clauses of SOC 2: " in html
    assert '<a href="#checklist-title">Checklist</a>' in html
    assert "--checklist</pre>" in html
