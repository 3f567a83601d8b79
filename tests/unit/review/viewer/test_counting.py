"""A page waits a moment for a count, and one that fails says why."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from periods import event, write_log

from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine
from chained_logging.review.viewer import counting as module
from chained_logging.review.viewer.counting import Counting


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    path = write_log(tmp_path / "audit.jsonl", [event(1), event(2)])
    return Counting(lambda: open_log(str(path)))


def until_done(counting: Counting, key: object, count: module.Count) -> None:
    for _ in range(1000):
        if counting.wait(key, count):
            return
        time.sleep(0.01)
    raise AssertionError("it is never done")


def test_what_is_quick_is_waited_for(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 30.0)
    found: list[int] = []
    assert counting.wait("a", lambda engine: found.append(engine.count()))
    assert found == [3]


def test_what_is_slow_is_counted_once_and_holds_up_no_page(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    go, counted = threading.Event(), []

    def count(engine: Engine) -> None:
        assert go.wait(30)
        counted.append(1)

    began = time.monotonic()
    assert not any(counting.wait("a", count) for _ in range(20))
    assert time.monotonic() - began < 5  # not 20 times as long as one waits
    go.set()
    until_done(counting, "a", count)
    assert counted == [1]


def test_one_that_fails_says_why_to_the_page_that_asks(counting: Counting) -> None:
    def count(engine: Engine) -> None:
        raise ValueError("it is broken")

    with pytest.raises(ValueError, match="it is broken"):
        until_done(counting, "a", count)


def test_so_many_wait_and_the_others_are_asked_for_again(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(module, "_MOST", 2)
    go, counted = threading.Event(), []

    def count(engine: Engine) -> None:
        assert go.wait(30)
        counted.append(1)

    assert not any(counting.wait(key, count) for key in range(10))
    go.set()
    until_done(counting, 9, count)
    assert len(counted) <= 3
