"""Removing entries from an open log, while other processes write to it.

The work is done in small pieces, each under the log's lock, so that nobody waits for long. What may
go is asked once more in each piece: somebody may have put a hold on it meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from chained_logging.format.record import Record
from chained_logging.log.state import State
from chained_logging.sinks.removal import Named, Removal

_PAUSE: Final = 0.2, 0.005
"""How long others get the log after each piece: a part of the time that it took, and the most
seconds."""


class Guard(Protocol):
    """Decides about each entry that is named."""

    def refresh(self) -> bool:
        """Take note of what was appended since the last call, and return whether that changes
        anything. The caller holds the log's lock."""

    def may_go(self, record: Record) -> bool:
        """Whether an entry may be removed."""


class Purging:
    """Removes entries, and gives their space back."""

    def __init__(self, state: State) -> None:
        self._state = state

    def remove(
        self, named: Named, guard: Guard, on_progress: Callable[[int], None] | None = None
    ) -> int:
        """Remove entries that the log's own decisions name, and return how many went.

        :param on_progress: called after each piece with the number so far.
        :raises FAILURES: if the store fails. Call it again: what is gone is gone as a whole.
        """
        count = 0
        for done in self._each(self._state.sink.removals(named), guard):
            count += done
            if on_progress is not None:
                on_progress(count)
        return count

    def give_back(self, guard: Guard) -> None:
        """Give the space back, and leave nothing of removed entries in the store.

        :raises Busy: if a reader keeps that from being done now.
        :raises FAILURES: if the store fails.
        """
        for _ in self._each(self._state.sink.give_back(), guard):
            pass

    def _each(self, pieces: Iterator[Removal], guard: Guard) -> Iterator[int]:
        state = self._state
        state.notice_fork()
        for piece in pieces:
            while True:
                piece.prepare(guard.may_go)
                began = time.monotonic()
                with state.held():
                    state.head()
                    if guard.refresh():
                        continue  # a hold came: look again what may go
                    done = piece.commit(guard.may_go)
                break
            time.sleep(min(_PAUSE[0] * (time.monotonic() - began), _PAUSE[1]))
            yield done
