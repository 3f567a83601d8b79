"""The watch tells of what is wrong once, and of nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.errors import StoreError
from chained_logging.review.alerts.delivery.target import Notification
from chained_logging.review.opening import open_log, stored
from chained_logging.review.watch import conditions
from chained_logging.review.watch import watch as module
from chained_logging.review.watch.conditions import VERIFY, Limits
from chained_logging.review.watch.watch import Watch
from chained_logging.verify import verify


class Receiver:
    name = "receiver"

    def __init__(self) -> None:
        self.taken: list[Notification] = []

    def deliver(self, notification: Notification) -> None:
        self.taken.append(notification)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "is_synchronised", lambda: True)


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path) as opened:
        for _ in range(5):
            opened.append("read", **EVENT)
    return path


def actions(log: Path) -> list[str]:
    found = [entry.action for entry in stored(str(log))]
    return [action for action in found if action.startswith(("alert.", "watch."))]


def test_a_log_that_is_well_gets_one_entry_about_it(log: Path) -> None:
    watch = Watch(str(log))
    watch.round()
    watch.round()
    assert actions(log) == [VERIFY]
    (entry,) = (one for one in stored(str(log)) if one.action == VERIFY)
    assert entry.context["verified_seq"] == 5
    assert verify(log).intact


def test_what_is_wrong_is_raised_once_even_after_a_restart(log: Path) -> None:
    full = Limits(disk=1.01)
    for _ in range(2):
        watch = Watch(str(log), limits=full)
        watch.round()
        watch.round()
    assert actions(log).count("alert.raise") == 1
    assert verify(log).intact


def test_what_is_wrong_is_delivered_once(log: Path) -> None:
    receiver = Receiver()
    watch = Watch(str(log), limits=Limits(disk=1.01), targets=[receiver])
    watch.round()
    watch.round()
    assert [one.alert.finding.rule for one in receiver.taken] == ["watch-disk"]


def test_a_broken_log_is_told_of_whether_or_not_it_takes_the_alert(log: Path) -> None:
    receiver = Receiver()
    watch = Watch(str(log), targets=[receiver], budget=1.0)
    watch.round()
    damage(log)
    watch._due[0] = 0.0
    found = watch.round()
    assert any(check.ok is False and check.name == "intact" for check in found)
    rules = [one.alert.finding.rule for one in receiver.taken]
    assert rules.count("watch-intact") == 1
    watch.round()
    assert [one.alert.finding.rule for one in receiver.taken].count("watch-intact") == 1


def damage(log: Path) -> None:
    if log.suffix == ".jsonl":
        data = log.read_bytes()
        log.write_bytes(data.replace(b'"seq":2', b'"seq":9'))
        return
    with sqlite3.connect(log) as database:
        database.execute("DROP TRIGGER entries_no_update")
        database.execute("UPDATE entries SET hash = substr(hash, 2) || '0' WHERE seq = 2")


def test_verifying_everything_keeps_to_its_budget(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    watch = Watch(str(log), budget=0.01)
    watch.round()
    took = watch.places[0].seconds
    whole = []
    monkeypatch.setattr(watch.places[0], "whole", lambda: whole.append(clock[0]) or check())
    clock[0] += max(98 * took, 0.5)
    watch.round()
    assert whole == []
    clock[0] += max(2 * took, 1.0)
    watch.round()
    assert len(whole) == 1


def check():  # type: ignore[no-untyped-def]
    from chained_logging.review.watch.check import Check

    return Check("intact", "audit", None, "")


@pytest.mark.parametrize("budget", [0, -1, 1.5])
def test_a_budget_is_a_share_of_a_processor(log: Path, budget: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        Watch(str(log), budget=budget)


def test_what_could_not_be_asked_for_a_while_is_asked_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(str(log))

    def fails(*_: object, **__: object) -> None:
        raise OSError("no such disk")

    with monkeypatch.context() as once:
        once.setattr(module, "open_log", fails)
        once.setattr(module, "Desk", fails)
        watch.round()
    assert watch.checks["readable", log.name].ok is None
    watch.round()
    assert {key for key, check in watch.checks.items() if not check.ok} == set()
    assert watch.checks["intact", log.name].ok


def test_a_problem_that_is_over_is_said_no_more(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(str(log), limits=Limits(disk=1.01))

    def fails(*_: object, **__: object) -> None:
        raise OSError("no such disk")

    with monkeypatch.context() as once:
        once.setattr(module, "Desk", fails)
        watch.round()
    assert "no such disk" in watch.problems[0]
    watch.round()
    assert watch.problems == []


def test_a_copy_is_watched_and_stays_as_it_is(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / f"copy{log.suffix}"
    copy.write_bytes(log.read_bytes())
    watch = Watch(str(copy), limits=Limits(disk=1.01))
    for _ in range(2):
        watch.round()
    assert watch.checks["intact", copy.name].ok
    assert "is a copy" in watch.checks["recorded", copy.name].sentence
    assert actions(copy) == []
    assert not copy.with_name(f"{copy.name}.lock").exists()


def test_the_log_is_opened_once_and_what_is_new_is_seen(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(module, "open_log", lambda where: opened.append(where) or open_log(where))
    watch = Watch(str(log), limits=Limits(incomplete=0.5))
    watch.round()
    with AuditLog(log) as more:
        for _ in range(50):
            more.append("read", actor="ann")
    found = {check.name: check.ok for check in watch.round()}
    assert (opened, found["incomplete"]) == ([str(log)], False)
    watch.close()
    watch.round()
    assert len(opened) == 2


def test_a_broken_log_that_takes_no_alert_is_told_of_once(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(where: str) -> None:
        raise StoreError("it takes nothing")

    receiver = Receiver()
    watch = Watch(str(log), targets=[receiver], budget=1.0)
    watch.round()
    damage(log)
    monkeypatch.setattr(module, "Desk", refused)
    for _ in range(2):
        watch._due[0] = 0.0
        watch.round()
        watch.round()  # nothing is verified in between
    assert [one.alert.finding.rule for one in receiver.taken].count("watch-intact") == 1
