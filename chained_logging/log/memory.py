"""Events that wait in memory, each of which is chained once.

A signal handler may raise at any point (a time limit, Ctrl-C): also after events were chained, and
before they are removed here. So the next attempt looks which of them are in the log already.
"""

from __future__ import annotations

from collections.abc import Sequence

from chained_logging.event.draft import Draft
from chained_logging.event.entry import AuditEntry
from chained_logging.log.state import State


class Memory:
    """A queue of events.

    :ivar drafts: the events, the oldest first.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.drafts: list[Draft] = []
        self._since: int | None = None

    def __len__(self) -> int:
        return len(self.drafts)

    @property
    def broken_off(self) -> bool:
        """Whether an attempt began, and the events are still here: they may be in the log too."""
        return self._since is not None

    def begin(self) -> None:
        """Note the first ``seq`` that the coming attempt may write, unless one was broken off."""
        if not self.broken_off:
            self._since = self._state.seq + 1

    def attempt(self, count: int) -> Sequence[Draft]:
        """Return those of the first `count` events that are to be chained now.

        :raises FAILURES: if the log must be read for that, and cannot be.
        """
        drafts = self.drafts[:count]
        if self._since is not None:
            stored = self._state.sink.records(self._since)
            done = {AuditEntry(record.body, record.hash).id for record in stored}
            drafts = [draft for draft in drafts if draft.id not in done]
        self.begin()
        return drafts

    def remove(self, count: int) -> None:
        """Remove the first `count` events, which are in the log or kept elsewhere."""
        del self.drafts[:count]
        self._since = None
