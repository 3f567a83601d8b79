"""The desk of a log: what was decided about its alerts, and where that is kept."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from chains import EVENT
from findings import Denials

from chained_logging import AuditLog
from chained_logging.review.alerts.desk import Desk, NotHere
from chained_logging.review.opening import stored
from chained_logging.verify import verify

SOON = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path) as opened:
        opened.append("read", **(EVENT | {"result": "denied"}))
    return path


def test_an_alert_is_acknowledged_once_with_who_and_why(log: Path) -> None:
    with Desk(str(log)) as desk:
        (alert,) = desk.rounds([Denials()]).round().raised
        entry = desk.acknowledge(alert.seq, "eve", "a drill")
        assert (entry.on_behalf_of, entry.reason) == ("eve", "a drill")
        with pytest.raises(ValueError, match="acknowledged by eve"):
            desk.acknowledge(alert.seq, "bob", "too late")
    with Desk(str(log)) as again:
        assert again.book.open() == []
    assert verify(log).intact


def test_what_is_not_an_alert_cannot_be_acknowledged(log: Path) -> None:
    with Desk(str(log)) as desk, pytest.raises(ValueError, match="raises no alert"):
        desk.acknowledge(1, "eve", "a drill")


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_decision_needs_a_reason(log: Path, reason: str) -> None:
    with Desk(str(log)) as desk, pytest.raises(ValueError, match="reason"):
        desk.suppress("denials", None, SOON, "eve", reason)


def test_a_suppression_lasts_a_year_at_most(log: Path) -> None:
    with Desk(str(log)) as desk, pytest.raises(ValueError, match="at most 366 days"):
        desk.suppress("denials", None, SOON + dt.timedelta(days=400), "eve", "never mind")


def test_a_copy_is_looked_at_and_says_that_it_remembers_nothing(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / f"copy{log.suffix}"
    shutil.copy(log, copy)
    with Desk(str(copy)) as desk:
        assert desk.why_not is not None
        assert "copy" in desk.why_not
        assert len(desk.rounds([Denials()]).round().raised) == 1
        with pytest.raises(NotHere, match="--into"):
            desk.suppress("denials", None, SOON, "eve", "a drill")
    assert len(list(stored(str(copy)))) == 2


def test_one_log_can_hold_the_alerts_of_two_of_one_name(log: Path, tmp_path: Path) -> None:
    other, into = tmp_path / "other" / log.name, tmp_path / "alerts.db"
    other.parent.mkdir()
    with AuditLog(other) as opened:
        opened.append("read", **(EVENT | {"result": "denied"}))
    for where in (log, other):
        with Desk(str(where), into=str(into)) as desk:
            assert len(desk.rounds([Denials()]).round().raised) == 1
            assert len(desk.book.open()) == 1


def test_another_log_can_hold_the_alerts_of_a_copy(log: Path, tmp_path: Path) -> None:
    copy, into = tmp_path / f"copy{log.suffix}", tmp_path / "alerts.db"
    shutil.copy(log, copy)
    for raised in (1, 0):
        with Desk(str(copy), into=str(into)) as desk:
            assert desk.why_not is None
            assert len(desk.rounds([Denials()]).round().raised) == raised
            assert len(desk.book.open()) == 1
    held = [entry for entry in stored(str(into)) if entry.action == "alert.raise"]
    assert [entry.context["log"] for entry in held] == [copy.name]
