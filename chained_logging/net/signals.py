"""Being told to end, for commands that run until then."""

from __future__ import annotations

import signal
import threading


def ended_by_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set from now on. For the main thread."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    return ended


def wait_for(ended: threading.Event) -> None:
    """Wait for such an event. For the main thread."""
    while not ended.wait(0.5):  # a signal that comes as a wait begins would not end that one
        pass
