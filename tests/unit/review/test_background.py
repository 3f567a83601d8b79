"""A thread of a program that works for its log."""

from __future__ import annotations

import logging
import threading

import pytest

from chained_logging.review.background import BackgroundThread


class Told(BackgroundThread):
    """Tells of some problems, one a round."""

    def __init__(self, *problems: str) -> None:
        super().__init__("work", "audit.db")
        self.done = threading.Event()
        self.goes_on = threading.Event()
        self._problems = problems

    def _run(self) -> None:
        for problem in self._problems:
            self._tell(problem)
        self.done.set()
        self._ended.wait()
        self.goes_on.wait()


def test_a_problem_is_a_warning_once_until_there_is_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    thread = Told("full", "full", "gone", "", "gone", "")
    thread.goes_on.set()
    with caplog.at_level(logging.WARNING, "chained_logging"), thread:
        assert thread.done.wait(60)
        assert thread.problem is None
    said = [f"work of audit.db: {problem}" for problem in ("full", "gone", "gone")]
    assert [record.getMessage() for record in caplog.records] == said


def test_a_round_that_does_not_end_is_waited_for_only_so_long() -> None:
    thread = Told()
    thread.stop()  # it was never started
    thread.start()
    thread.stop(0.01)
    assert thread.problem == "its last round did not end in time"
    thread.goes_on.set()
    thread.stop()
