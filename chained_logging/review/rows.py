"""An entry as a row of a table that a person reads."""

from __future__ import annotations

from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES

HEADS: Final = ("seq", "timestamp", "actor", "action", "resource", "result", "address")
"""The columns of :func:`cells`."""


def cells(entry: AuditEntry) -> tuple[str, ...]:
    """Return what the columns :data:`HEADS` show. Others wrote it: it is not fit for a terminal."""
    return (
        str(entry.seq),
        entry.timestamp,
        _actor(entry),
        entry.action,
        f"{entry.resource_type}/{entry.resource_id}",
        entry.result,
        entry.ip_address or "-",
    )


def more(entry: AuditEntry) -> str:
    """Return how many further resources an entry names, such as `` +2``."""
    return f" +{len(entry.resources)}" if entry.resources else ""


def _actor(entry: AuditEntry) -> str:
    actor: str = entry.actor_id
    if actor == OURSELVES and entry.on_behalf_of:  # such as somebody who read the log
        return f"{entry.on_behalf_of} (by the log)"
    if entry.actor_type != "user":
        actor += f" ({entry.actor_type})"
    return f"{actor} for {entry.on_behalf_of}" if entry.on_behalf_of else actor
