"""What is wrong with a central store."""

from __future__ import annotations

from typing import Final, NamedTuple

FOREIGN: Final = "foreign"
"""The kind of what anybody may have added to a store: no fault of the log."""

MAX_FAULTS: Final = 10_000
"""How many faults of one kind are listed at most."""


class Fault(NamedTuple):
    """One thing that is wrong with a store, or that differs from the log."""

    kind: str
    """``foreign``, ``missing``, ``edited``, ``weakened`` …: see ``docs/shipping.md``."""
    where: str
    """The store, or the object in it."""
    seq: int | None
    """The entry, where it can be told."""
    field: str | None
    """The field in doubt, where it can be told."""
    reason: str
