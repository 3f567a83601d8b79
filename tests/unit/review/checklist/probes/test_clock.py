"""What a machine says of its clock: the kernel, chrony and timedatectl are asked for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from checklists import is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes import clock
from chained_logging.review.checklist.subject import Subject


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(clock, "adjtimex", lambda: None)
    (tmp_path / "bin").mkdir()
    return recorded(tmp_path / "audit.jsonl")


def program(log: Path, name: str, prints: str, status: int = 0) -> None:
    """Make a program that answers as the real one does."""
    file = log.parent / "bin" / name
    file.write_text(f"#!/bin/sh\nprintf '%s\\n' '{prints}'\nexit {status}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("chronyc", "Leap status     : Normal", "Leap status     : Not synchronised"),
        ("timedatectl", "yes", "no"),
    ],
)
def test_a_program_says_whether_the_clock_is_synchronised(
    log: Path, name: str, good: str, bad: str
) -> None:
    program(log, name, good)
    assert is_met(looked(log, "clock"))
    program(log, name, bad)
    found = looked(log, "clock")
    assert not is_met(found)
    assert "chrony" in (found.mend or "")
    program(log, name, good, status=1)
    assert looked(log, "clock").status is Status.UNSEEN


@pytest.mark.parametrize(
    ("said", "good"),
    [((0, 0x2001, 900), True), ((5, 0x40, 16_000_000), False), ((0, 0x40, 1), False)],
)
def test_the_kernel_says_it(
    log: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[int, int, int], good: bool
) -> None:
    monkeypatch.setattr(clock, "adjtimex", lambda: said)
    assert is_met(looked(log, "clock")) is good


def test_one_that_says_no_counts(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "adjtimex", lambda: (0, 0, 1))
    program(log, "timedatectl", "no")
    assert not is_met(looked(log, "clock"))


def test_nobody_who_says_it_is_not_a_synchronised_clock(log: Path) -> None:
    assert looked(log, "clock").status is Status.UNSEEN


def test_the_clock_of_another_machine_is_not_judged(log: Path, tmp_path: Path) -> None:
    program(log, "timedatectl", "yes")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(log.read_bytes())
    assert looked(Subject(str(copy)), "clock").status is Status.UNSEEN


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex is Linux's")
def test_the_real_kernel_answers() -> None:
    found = clock.adjtimex()
    assert found is not None
    state, status, error = found
    assert 0 <= state <= 5
    assert 0 <= status < 1 << 16
    assert error >= 0


def test_settings_of_the_clock_are_roots(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chrony.conf"
    file.write_text("pool ntp.example iburst\n")
    file.chmod(0o644)
    monkeypatch.setattr(clock, "SETTINGS", (str(file),))
    assert is_met(looked(log, "clock_settings")) is (file.stat().st_uid == 0)
    file.chmod(0o666)
    assert not is_met(looked(log, "clock_settings"))
    monkeypatch.setattr(clock, "SETTINGS", ())
    assert looked(log, "clock_settings").status is Status.UNSEEN
