"""Group commit: threads that wait at the same moment share one write, and one sync."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Generic, TypeVar

from chained_logging.errors import FAILURES, Failure, LogError

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Lets one thread at a time commit for all that arrived meanwhile.

    The first waiter becomes the leader. Every other thread only joins a queue, and makes no system
    calls, at each of which Python would pass the interpreter lock to another thread. The threads of
    a group wake one another in turn, because threads that wake at once get in each other's way.
    Four threads took 29 µs an entry like this, and 47 µs without it.

    The main thread must not call this. Signal handlers run there, and what they raise, such as
    KeyboardInterrupt or a time limit, can come between any two steps while others wait.

    :ivar leader: the thread that leads; None between groups.
    :param commit: commits the items of several callers, and returns a result for each, or the
        exception to raise there. It raises only if its own thread is interrupted.
    :param entered: held during a commit, and while the group is formed.
    :param gather: whether a leader first waits until as many callers have come as were in the last
        group, at most half as long as that commit took. Otherwise threads that write, wait for
        the disk and write again would split into small groups.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], list[Result | BaseException]],
        *,
        entered: contextlib.AbstractContextManager[Any] = contextlib.nullcontext(),  # noqa: B008
        gather: bool = False,
    ) -> None:
        self._commit = commit
        self._entered = entered
        self._gather = gather
        self._lock = threading.RLock()  # a finaliser may come in the middle
        self._arrival = threading.Condition(self._lock)
        self._queue: list[_Caller[Item, Result]] = []
        self.leader: int | None = None
        self._group = 1  # how many were in the last group
        self._duration = 0.0  # of its commit, in seconds

    def submit(self, item: Item) -> Result:
        """Return the result for `item` once it is committed, or raise what its commit did."""
        me = threading.get_ident()
        caller: _Caller[Item, Result] = _Caller(item)
        with self._lock:
            if self.leader == me:  # a finaliser in the middle of our own commit
                (caller.outcome,) = self._commit([item])
                return caller.result()
            self._queue.append(caller)
            if self.leader is None:
                self.leader = me
                caller.leads = True
            elif self._gather and len(self._queue) >= self._group:
                self._arrival.notify()
        if not caller.leads:
            try:
                caller.woken.acquire()
            finally:
                if caller.next is not None:
                    caller.next.woken.release()
        if caller.leads:
            self._lead(me)
        return caller.result()

    def _lead(self, me: int) -> None:
        group: list[_Caller[Item, Result]] = []
        try:
            with self._entered:
                with self._lock:
                    self.leader = me
                    if self._gather and self._group > 1:
                        patience = self._duration / 2
                        self._arrival.wait_for(lambda: len(self._queue) >= self._group, patience)
                    group, self._queue = self._queue, []
                    self._group = len(group)
                began = time.monotonic()
                outcomes = self._commit([caller.item for caller in group])
                for caller, outcome in zip(group, outcomes, strict=True):
                    caller.outcome = outcome
                self._duration = time.monotonic() - began
        finally:
            with self._lock:
                self.leader = None
                if self._queue:
                    self.leader = -1  # nobody else may lead until that thread is awake
                    self._queue[0].leads = True
                    self._queue[0].woken.release()
            followers = [caller for caller in group if not caller.leads]
            for caller, following in itertools.pairwise(followers):
                caller.next = following
            if followers:
                followers[0].woken.release()


class _Caller(Generic[Item, Result]):
    """A waiting caller, and its outcome."""

    __slots__ = ("item", "leads", "next", "outcome", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Result | BaseException = LogError("the commit was interrupted")
        self.leads = False
        self.next: _Caller[Item, Result] | None = None  # whom to wake
        self.woken = threading.Lock()  # held until somebody wakes this one
        self.woken.acquire()

    def result(self) -> Result:
        outcome = self.outcome
        if isinstance(outcome, FAILURES):  # one exception may be for several
            raise copy(outcome) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class SyncGate:
    """Lets callers wait until what they wrote is on the disk; those who wait together share a sync.

    :param sync: makes one sync, and returns the highest ticket that it covers.
        A failure is handed to all whom this sync should have covered.
    """

    def __init__(self, sync: Callable[[], int]) -> None:
        self._sync = sync
        self._lock = threading.RLock()  # a signal handler may come in the middle
        self._reached = 0
        self._failure: tuple[int, int, Failure] | None = None

    def wait(self, ticket: int) -> None:
        """Return once everything up to `ticket` is on the disk.

        :raises FAILURES: if the sync for it failed. It is not tried again: after a failed
            ``fsync`` the kernel forgets what it could not write, and the next one
            succeeds without it.
        """
        with self._lock:
            if self._reached < ticket:
                try:
                    reached = self._sync()
                except FAILURES as error:
                    self._failure = (self._reached, ticket, error)
                    self._reached = max(self._reached, ticket)
                    raise
                self._reached = max(self._reached, reached)
            if self._failure is not None:
                after, upto, cause = self._failure
                if after < ticket <= upto:
                    raise copy(cause) from cause
