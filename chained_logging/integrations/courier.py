"""Takes events from event loops to the log: events that come together are stored together.

A loop serves many requests at once. Those whose answers are ready within a few turns of the loop
share one append, with its locks and system calls. If that append may wait for the disk, a thread
makes it. Events that arrive meanwhile share the next append, and so the next sync.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from chained_logging.diagnostics import report, warn

Event = dict[str, Any]
Outcomes = Sequence[BaseException | None]
Waiting = list[tuple[Event, "asyncio.Future[None] | None"]]

# An idle loop takes some 10 µs for these turns. A busy one brings more events meanwhile: FastAPI
# with a handler in a thread then serves 0.85 times the requests that it does without a log, and
# 0.77 times with one turn, since each system call hands the interpreter lock to another thread.
_TURNS: Final = 6
_PATIENCE: Final = 0.002  # seconds; a loop whose turns are long does not get longer answers


class Courier:
    """Stores events that event loops wait for.

    :param store: stores events, and returns for each what it failed with, or None.
    :param quick: whether `store` takes microseconds, so that a loop can make the call itself.
    """

    def __init__(self, store: Callable[[Sequence[Event]], Outcomes], quick: bool) -> None:
        self._store: Final = store
        self._quick: Final = quick
        self._here = _Here()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()  # a fork has no threads
        self._lock = threading.Lock()
        self._queue: Waiting = []
        self._thread: ThreadPoolExecutor | None = None
        self._busy = False

    def send(self, event: Event) -> asyncio.Future[None]:
        """Have an event stored; the future is done when it is stored.

        The event is stored even if the task that waits for the future is cancelled.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._quick:
            self._enqueue(event, future)
            return future
        gathered = self._here.gathered
        if gathered is None or gathered[0] is not loop:
            gathered = self._here.gathered = (loop, [])
            loop.call_soon(self._turn, gathered, _TURNS, loop.time() + _PATIENCE)
        gathered[1].append((event, future))
        return future

    def post(self, event: Event) -> None:
        """Have an event stored that nobody waits for. :meth:`drain` does, and Python's exit.

        That it could not be is a warning, since nobody is left whom an exception would stop.
        """
        if self._quick:
            _warn(self._store([event]))
        else:
            self._enqueue(event, None)

    def drain(self) -> None:
        """Return once all events are stored."""
        thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            thread.shutdown()

    def hurry(self) -> None:
        """Store now what the running loop gathers: it may end before its next turn."""
        gathered = self._here.gathered
        if gathered is not None and gathered[0] is asyncio.get_running_loop():
            self._finish(gathered[1])

    def _turn(
        self, gathered: tuple[asyncio.AbstractEventLoop, Waiting], left: int, deadline: float
    ) -> None:
        """At the end of a loop's turn: store what it gathered, unless it has another one."""
        loop, waiting = gathered
        if self._here.gathered is not gathered:
            return  # somebody was in a hurry
        if left > 1 and loop.time() < deadline:
            loop.call_soon(self._turn, gathered, left - 1, deadline)
        else:
            self._finish(waiting)

    def _finish(self, waiting: Waiting) -> None:
        self._here.gathered = None
        _tell(waiting, self._store([event for event, _ in waiting]))

    def _enqueue(self, event: Event, future: asyncio.Future[None] | None) -> None:
        if self._pid != os.getpid():
            self._start_afresh()
        with self._lock:
            self._queue.append((event, future))
            if self._busy:
                return
            self._busy = True
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "chained_logging_web")
            self._thread.submit(self._work)

    def _work(self) -> None:
        """In the thread: store what waits, until nothing does. No loop is needed for that."""
        while True:
            with self._lock:
                waiting, self._queue = self._queue, []
                self._busy = bool(waiting)
            if not waiting:
                return
            outcomes = self._store([event for event, _ in waiting])
            _warn([outcomes[n] for n, (_, future) in enumerate(waiting) if future is None])
            loops: dict[asyncio.AbstractEventLoop, list[int]] = {}
            for number, (_, future) in enumerate(waiting):
                if future is not None:
                    loops.setdefault(future.get_loop(), []).append(number)
            for loop, numbers in loops.items():
                theirs = [waiting[number] for number in numbers]
                try:
                    loop.call_soon_threadsafe(_tell, theirs, [outcomes[n] for n in numbers])
                except RuntimeError:  # the loop is closed: nobody waits any more
                    continue


class _Here(threading.local):
    """What the loop of this thread gathers, and which loop that is."""

    gathered: tuple[asyncio.AbstractEventLoop, Waiting] | None = None


def _warn(outcomes: Outcomes) -> None:
    for error in outcomes:
        if error is not None:
            message = f"audit log: an entry was not stored: {error}"
            warn(message, stacklevel=3)
            report(logging.ERROR, message)


def _tell(waiting: Waiting, outcomes: Outcomes) -> None:
    for (_, future), error in zip(waiting, outcomes, strict=True):
        if future is None or future.done():  # cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
