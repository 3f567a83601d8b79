"""A watch in a thread of a program."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.thread import WatchThread
from chained_logging.review.watch.watch import Watch


class Counted(Watch):
    """A watch that fails in some rounds, and says when it had so many."""

    def __init__(self, log: Path, wanted: int, fails: int = 0) -> None:
        super().__init__(str(log))
        self.done = threading.Event()
        self._wanted, self._fails = wanted, fails

    def round(self) -> list[Check]:
        self._wanted -= 1
        if self._wanted <= 0:
            self.done.set()
        if self._wanted < self._fails:
            raise RuntimeError("its memory is gone")
        return super().round()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.db"
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    return path


def test_it_verifies_round_after_round(log: Path) -> None:
    watch = Counted(log, 3)
    with WatchThread(watch, interval=0.01):
        assert watch.done.wait(60)
    assert watch.checks["intact", log.name].ok


def test_what_nobody_foresaw_is_warned_of_once_and_tried_again(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Counted(log, 4, fails=4)
    with (
        caplog.at_level(logging.WARNING, "chained_logging"),
        WatchThread(watch, interval=0.01),
    ):
        assert watch.done.wait(60)
    assert [record.getMessage() for record in caplog.records] == [
        f"watch of {log}: its memory is gone"
    ]
