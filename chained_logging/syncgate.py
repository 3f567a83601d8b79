"""Group commit: callers that wait for the disk at the same moment share one sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class SyncGate:
    """Lets callers wait until what they wrote is on the disk.

    Whoever finds no sync under way leads the next one, and the others wait for
    it. A leader first gives as many callers as shared the last sync the time to
    come, at most half as long as that sync took: without this, threads that
    write, wait and write again split into small groups. ``benchmarks/fsync.py``
    shows the rates.

    :param sync: makes one sync, and returns the highest ticket that it covers.
        OSError is handed to all whom this sync should have covered.
    """

    def __init__(self, sync: Callable[[], int]) -> None:
        self._sync = sync
        self._lock = threading.RLock()  # a signal handler may come in the middle
        self._done = threading.Condition(self._lock)
        self._arrival = threading.Condition(self._lock)
        self._leader: int | None = None
        self._reached = 0
        self._waiting = 0
        self._group = 1  # how many shared the last sync
        self._duration = 0.0  # of the last sync, in seconds
        self._failure: tuple[int, int, OSError] | None = None

    def wait(self, ticket: int) -> None:
        """Return once everything up to `ticket` is on the disk.

        :raises OSError: if the sync for it failed. It is not tried again: after a failed
            ``fsync`` the kernel forgets what it could not write, and the next one
            succeeds without it.
        """
        me = threading.get_ident()
        with self._lock:
            if self._reached >= ticket:
                return self._check(ticket)
            if self._leader == me:  # a signal handler in the middle of our own sync
                self._sync()
                return None
            self._waiting += 1
            if self._waiting >= self._group:
                self._arrival.notify()
            while self._reached < ticket and self._leader is not None:
                self._done.wait()
            if self._reached >= ticket:
                return self._check(ticket)
            self._leader = me
            if self._group > 1:
                self._arrival.wait_for(lambda: self._waiting >= self._group, self._duration / 2)
            self._group, self._waiting = self._waiting, 0
        self._lead(ticket)
        return None

    def _lead(self, ticket: int) -> None:
        began, reached = time.monotonic(), ticket
        failure = None
        try:
            reached = self._sync()
        except OSError as error:
            failure = (self._reached, reached, error)
            raise
        finally:
            with self._lock:
                self._duration = time.monotonic() - began
                self._failure = failure or self._failure
                self._reached = max(self._reached, reached)
                self._leader = None
                self._done.notify_all()

    def _check(self, ticket: int) -> None:
        if self._failure is not None:
            after, upto, error = self._failure
            if after < ticket <= upto:
                raise OSError(error.errno, error.strerror) from error
