"""What is around a log is looked at, each part by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.opening import open_log
from chained_logging.review.watch import conditions as module
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.conditions import VERIFY, Limits, conditions
from chained_logging.ship.progress import Progress, write_progress


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    return path


def look(log: Path, limits: Limits | None = None, after: float = 0.0) -> dict[str, Check]:
    with open_log(str(log)) as engine:
        found = conditions(log, engine, limits or Limits(), now=time.time() + after)
        return {check.name: check for check in found}


def test_a_log_that_is_well_is_well(log: Path) -> None:
    found = look(log)
    assert {name: check.ok for name, check in found.items() if name != "clock"} == {
        "spill": True,
        "disk": True,
        "incomplete": True,
    }


def test_events_that_wait_are_said(log: Path) -> None:
    spill = log.with_name(f"{log.name}.spill")
    spill.write_text("x" * 1000)
    spill.chmod(0o600)
    check = look(log)["spill"]
    assert (check.ok, check.value) == (False, 1000)
    assert str(spill) in check.sentence


def test_a_disk_that_is_nearly_full_is_said(log: Path) -> None:
    assert look(log, Limits(disk=1.01))["disk"].ok is False


def test_entries_that_lack_a_field_are_said_if_they_are_many(log: Path) -> None:
    with AuditLog(log) as opened:
        opened.append("read", actor="ann")
    check = look(log)["incomplete"]
    assert check.ok is False
    assert "1 of the newest 3 entries" in check.sentence
    assert look(log, Limits(incomplete=0.5))["incomplete"].ok


@pytest.mark.parametrize(("after", "ok"), [(0, True), (299, True), (600, False)])
def test_a_destination_may_be_behind_for_a_while(log: Path, after: float, ok: bool) -> None:
    write_progress(log, Progress("postgresql://db/audit", seq=0))
    check = look(log, after=after)["shipping"]
    assert check.ok == ok
    if not ok:
        assert "behind, after entry 0: does a shipper run?" in check.sentence


def test_another_history_at_a_destination_is_critical(log: Path) -> None:
    problem = Progress("postgresql://db/audit", seq=1, problem="another history", alert=True)
    write_progress(log, problem)
    check = look(log)["shipping"]
    assert (check.ok, check.severity) == (False, "critical")


@pytest.mark.parametrize(("after", "ok"), [(0, True), (86_300, True), (86_500, False)])
def test_nobody_has_verified_since(log: Path, after: float, ok: bool) -> None:
    with AuditLog(log) as opened:
        opened.note(VERIFY)
    check = look(log, after=after)["verified"]
    assert check.ok == ok
    assert ok or check.sentence.startswith(f"nobody has verified {log.name} since 20")


def test_a_program_cannot_say_that_the_log_was_verified(log: Path) -> None:
    with AuditLog(log) as opened:
        opened.append(VERIFY, **EVENT)
    assert "verified" not in look(log)


@pytest.mark.parametrize("in_step", [True, False])
def test_a_clock_that_is_out_of_step_is_said(
    log: Path, monkeypatch: pytest.MonkeyPatch, in_step: bool
) -> None:
    monkeypatch.setattr(module, "is_synchronised", lambda: in_step)
    assert look(log)["clock"].ok == in_step


def test_a_witness_that_never_signed_is_said(log: Path) -> None:
    key = "witness.example+9ab0d5c8+BHNv5Sn7Nq2FhiM8H6uyYfsmkUTvsSCqy+mGuFFmnWTe"
    with open_log(str(log)) as engine:
        found = list(conditions(log, engine, Limits(), witness_keys=[key]))
    assert [check.ok for check in found if check.name in ("witness", "witnesses")] in (
        [False],
        [None],
    )


def test_what_cannot_be_told_stops_nothing_else(log: Path) -> None:
    log.with_name(f"{log.name}.ship-0123456789ab").write_text("nonsense")
    found = look(log)
    assert found["shipping"].ok is None
    assert found["disk"].ok


def test_an_overdue_review_is_said(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_REVIEW_EVERY", "week")
    assert look(log)["reviews"].ok
    check = look(log, after=15 * 86_400)["reviews"]
    assert check.ok is False
    assert check.sentence.startswith("Nobody has reviewed 20")


def test_a_setting_that_is_wrong_is_said_and_not_taken_for_none(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_REVIEW_EVERY", "fortnight")
    check = look(log)["reviews"]
    assert check.ok is None
    assert "REVIEW_EVERY must be week" in check.sentence
