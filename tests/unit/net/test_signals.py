"""A command that runs until it is told to end is told by SIGTERM and SIGINT."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from chained_logging.net.signals import ended_by_signal, wait_for

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Let no signal end the tests, and give them back to those that handled them."""
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_wait(number: signal.Signals) -> None:
    ended = ended_by_signal()
    assert not ended.is_set()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
    timer.start()
    assert ended.wait(10)
    wait_for(ended)
    timer.join()


def test_a_signal_before_the_wait_is_not_lost() -> None:
    ended = ended_by_signal()
    os.kill(os.getpid(), signal.SIGTERM)
    started = time.monotonic()
    wait_for(ended)
    assert time.monotonic() - started < 5


def test_the_wait_goes_on_until_it_is_told_to_end() -> None:
    ended = threading.Event()
    timer = threading.Timer(0.7, ended.set)  # longer than one look
    started = time.monotonic()
    timer.start()
    wait_for(ended)
    assert time.monotonic() - started >= 0.6
    timer.join()
