"""Tells the program that its events are kept, and that the log works again."""

from __future__ import annotations

import logging

from chained_logging.diagnostics import report, warn
from chained_logging.errors import Failure
from chained_logging.log.backlog import Backlog
from chained_logging.log.state import State


class Alarm:
    """What the program was told. Must not be called with a log's lock held.

    :ivar raised: whether the program was told that events are kept.
    """

    def __init__(self, state: State, backlog: Backlog) -> None:
        self._state = state
        self._backlog = backlog
        self.afresh()

    def afresh(self) -> None:
        """Begin as if nothing had happened."""
        self.raised = False
        self._dropped_told = 0

    def raise_for(self, error: Failure, stacklevel: int) -> None:
        """Tell the program that an event was kept: each time, but where people look only once."""
        warn(f"audit log: {error}", stacklevel)
        path, waiting = self._state.path, self._backlog.waiting
        if not self.raised:
            self.raised = True
            where = "in memory" if waiting else "on the disk"
            text = f"{error}; events are kept {where}, and chained once that works again"
            level = logging.ERROR if waiting else logging.WARNING
            report(level, f"audit log {path}: {text}")
        dropped = self._state.counts["dropped"]
        if dropped >= max(1, 10 * self._dropped_told):
            self._dropped_told = dropped
            lost = f"{dropped} events were lost, as neither disk nor memory takes more: {error}"
            report(logging.ERROR, f"audit log {path}: {lost}")

    def end(self) -> None:
        """Tell the program that the log works again, once the backlog is chained."""
        if self.raised and not (self._backlog.waiting or self._backlog.spilled):
            self.raised = False
            report(
                logging.INFO,
                f"audit log {self._state.path}: it works again, and has what was kept",
            )
