"""Rounds until somebody says to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chains import EVENT
from findings import Broken, Denials

from chained_logging import AuditLog
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.alerts.follow import AlertThread, follow
from chained_logging.review.alerts.position import PositionFile
from chained_logging.review.alerts.round import Outcome
from chained_logging.review.opening import stored
from chained_logging.verify import verify

DENIED = EVENT | {"result": "denied"}


def wait_until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def raised(path: Path) -> int:
    return sum(entry.action == "alert.raise" for entry in stored(str(path)))


def test_a_thread_raises_what_the_program_logs(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
        with AlertThread(path, detectors=[Denials()], interval=0.02):
            for who in ("ann", "bob"):
                log.append("read", **(DENIED | {"actor": who}))
            wait_until(lambda: raised(path) == 2)
    assert verify(path).intact


def test_two_threads_raise_nothing_twice(path: Path) -> None:
    with AuditLog(path) as log:
        threads = [AlertThread(path, detectors=[Denials()], interval=0.01) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(20):
            log.append("read", **(DENIED | {"actor": f"user-{number}"}))
        wait_until(lambda: raised(path) == 20)
        time.sleep(0.1)
        for thread in threads:
            thread.stop()
    assert raised(path) == 20


def test_a_problem_is_warned_of_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    with (
        caplog.at_level(logging.WARNING, "chained_logging"),
        AlertThread(path, detectors=[Broken()], interval=0.01),
    ):
        wait_until(lambda: caplog.records)
        time.sleep(0.1)
    assert len(caplog.records) == 1
    assert "broken could not look" in caplog.text


def test_while_another_process_is_at_it_nothing_is_wrong(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    ended = threading.Event()
    told: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        told.append(outcome)
        ended.set()

    with Desk(str(path)) as desk, PositionFile(path).alone():
        follow(desk.rounds([Broken()]), ended, tell, 0.01)
    assert told == [Outcome()]


def test_a_log_that_cannot_hold_its_alerts_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    path.with_name(f"{path.name}.lock").unlink()  # so it is a copy
    with (
        caplog.at_level(logging.WARNING, "chained_logging"),
        AlertThread(path, [], detectors=[Denials()], interval=0.01),
    ):
        wait_until(lambda: caplog.records)
    assert "alerts are not recorded" in caplog.text


def test_a_target_that_cannot_be_used_is_refused_at_once(path: Path) -> None:
    with pytest.raises(ValueError, match="is not a target"):
        AlertThread(path, ["pigeon"])


def test_the_targets_of_a_thread_are_configured(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINED_LOGGING_ALERT_TO", "pigeon")
    with pytest.raises(ValueError, match="is not a target"):
        AlertThread(path)
    AlertThread(path, []).stop()
