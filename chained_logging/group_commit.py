"""Group commit: callers that wait for the disk at the same moment share one write and one sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Lets one caller at a time write and sync for all who came meanwhile.

    Whoever finds no leader becomes it. A leader first gives as many callers as were in the
    last group the time to come, at most half as long as that commit took: without this,
    threads that write, wait and write again split into small groups. Each thread then costs
    a place in a queue instead of five system calls of its own, at each of which Python would
    hand its interpreter lock to another one. ``benchmarks/fsync.py`` shows the rates.

    :param commit: writes and syncs items, all or none, and returns a result for each.
        OSError is handed to all whose items these were.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], list[Result]]) -> None:
        self._commit = commit
        self._lock = threading.RLock()  # a signal handler may come in the middle
        self._arrival = threading.Condition(self._lock)
        self._queue: list[_Caller[Item, Result]] = []
        self._leader: int | None = None
        self._group = 1  # how many were in the last group
        self._duration = 0.0  # of its commit, in seconds

    def submit(self, items: Sequence[Item]) -> list[Result]:
        """Return the results for `items` once they are on the disk.

        :raises OSError: if they could not be committed.
        """
        me = threading.get_ident()
        with self._lock:
            if self._leader == me:  # a signal handler in the middle of our own commit
                return self._commit(items)
            caller: _Caller[Item, Result] = _Caller(items)
            self._queue.append(caller)
            if self._leader is None:
                self._leader = me
                caller.leads = True
            elif len(self._queue) >= self._group:
                self._arrival.notify()
        try:
            if not caller.leads:
                caller.woken.acquire()
            if caller.leads:
                self._lead(me)
        except BaseException:  # KeyboardInterrupt: leave, and let another one lead
            with self._lock:
                if caller in self._queue:
                    self._queue.remove(caller)
                if caller.leads and caller.results is None and caller.error is None:
                    self._hand_over()
            raise
        if caller.error is not None:
            raise type(caller.error)(*caller.error.args) from caller.error
        return caller.results or []

    def _lead(self, me: int) -> None:
        with self._lock:
            self._leader = me
            if self._group > 1:
                self._arrival.wait_for(lambda: len(self._queue) >= self._group, self._duration / 2)
            group, self._queue = self._queue, []
            self._group = len(group)
        began = time.monotonic()
        try:
            results = self._commit([item for caller in group for item in caller.items])
            for caller in group:
                count = len(caller.items)
                caller.results, results = results[:count], results[count:]
        except OSError as error:
            for caller in group:
                caller.error = error
        except BaseException as error:
            for caller in group:
                caller.error = OSError(f"the commit was interrupted: {error!r}")
            raise
        finally:
            with self._lock:
                self._duration = time.monotonic() - began
                self._hand_over()
            for caller in group:
                caller.woken.release()

    def _hand_over(self) -> None:
        self._leader = None
        if self._queue:
            self._leader = -1  # nobody else's place, until that one is awake
            self._queue[0].leads = True
            self._queue[0].woken.release()


class _Caller(Generic[Item, Result]):
    """Who waits, and for what."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.results: list[Result] | None = None
        self.error: OSError | None = None
        self.leads = False
        self.woken = threading.Lock()  # held until somebody wakes this one
        self.woken.acquire()


class SyncGate:
    """Lets callers wait until what they wrote is on the disk; those who wait together share a sync.

    :param sync: makes one sync, and returns the highest ticket that it covers.
        OSError is handed to all whom this sync should have covered.
    """

    def __init__(self, sync: Callable[[], int]) -> None:
        self._sync = sync
        self._done = threading.Condition(threading.RLock())  # RLock: see above
        self._leader: int | None = None
        self._reached = 0
        self._failure: tuple[int, int, OSError] | None = None

    def wait(self, ticket: int) -> None:
        """Return once everything up to `ticket` is on the disk.

        :raises OSError: if the sync for it failed. It is not tried again: after a failed
            ``fsync`` the kernel forgets what it could not write, and the next one
            succeeds without it.
        """
        me = threading.get_ident()
        with self._done:
            if self._leader == me and self._reached < ticket:  # a signal handler in our own sync
                self._sync()
                return
            self._done.wait_for(lambda: self._reached >= ticket or self._leader is None)
            if self._reached >= ticket:
                return self._check(ticket)
            self._leader = me
        self._lead(ticket)

    def _lead(self, ticket: int) -> None:
        reached, failure = 0, None  # nothing, if it is interrupted: somebody else tries again
        try:
            reached = self._sync()
        except OSError as error:
            reached, failure = ticket, (self._reached, ticket, error)
            raise
        finally:
            with self._done:
                self._failure = failure or self._failure
                self._reached = max(self._reached, reached)
                self._leader = None
                self._done.notify_all()

    def _check(self, ticket: int) -> None:
        if self._failure is not None:
            after, upto, error = self._failure
            if after < ticket <= upto:
                raise OSError(error.errno, error.strerror) from error
