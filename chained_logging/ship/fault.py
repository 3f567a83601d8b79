"""What is wrong with a central store."""

from __future__ import annotations

from typing import Final, NamedTuple

FOREIGN: Final = "foreign"
"""The kind of something that anybody may have added to a store. It is not a fault of the log."""

MAX_FAULTS: Final = 10_000
"""How many faults of one kind are listed at most."""


class Fault(NamedTuple):
    """One thing that is wrong with a store, or that differs from the log."""

    kind: str
    """``foreign``, ``missing``, ``edited``, ``weakened`` …: see ``docs/shipping.md``."""
    where: str
    """The store, or the object in it."""
    seq: int | None
    """The entry, if it is known."""
    field: str | None
    """The field in doubt, if it is known."""
    reason: str
