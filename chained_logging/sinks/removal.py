"""The protocol by which a store lets entries go, and leaves their stubs.

The store only executes. What may go is decided above it, by entries of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from chained_logging.errors import BrokenLog
from chained_logging.format.record import Record

Named = Iterable[tuple[int, int]]
"""Ranges of entries, each with its last one included: in order, and without overlap."""

MayGo = Callable[[Record], bool]
"""Whether an entry that is named may really go."""


class NotNamed(BrokenLog):
    """A database does not have the ranges that a decision of the log names."""


class Removal(Protocol):
    """A piece of the work: small, so that others can write to the log between two of them."""

    def prepare(self, may_go: MayGo) -> None:
        """Do what needs no lock. May be called again, when something changed since."""

    def commit(self, may_go: MayGo) -> int:
        """Remove, on the disk, and return how many entries. The caller holds the log's lock.

        :raises Busy: if another program holds the store.
        :raises NotNamed: if the store does not know the decision about an entry.
        :raises FAILURES: if the store fails. What this piece would have removed is then left.
        """
