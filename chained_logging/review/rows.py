"""An entry as a row of a table that a person reads."""

from __future__ import annotations

import csv
import io
from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical

HEADS: Final = ("seq", "timestamp", "actor", "action", "resource", "result", "address")
"""The columns of :func:`cells`."""

CSV_COLUMNS: Final = (
    *("seq", "timestamp", "actor_id", "actor_type", "on_behalf_of", "action"),
    *("resource_type", "resource_id", "resources", "result", "ip_address", "user_agent"),
    *("session_id", "tenant_id", "trace_id", "reason", "changed_fields", "old_values"),
    *("context", "id", "hash"),
)
"""The columns of :func:`csv_row`: every field of an entry."""


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
    if entry.actor_type != "user":
        actor += f" ({entry.actor_type})"
    return f"{actor} for {entry.on_behalf_of}" if entry.on_behalf_of else actor


def csv_row(values: tuple[object, ...]) -> str:
    """Return a line of CSV, with its line feed.

    A value that a spreadsheet would take for a formula begins with an apostrophe, as OWASP advises.
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(_csv_cell, values))
    return line.getvalue()


def csv_values(entry: AuditEntry) -> tuple[object, ...]:
    """Return the values of :data:`CSV_COLUMNS`."""
    fields = {**entry.fields, "hash": entry.hash}
    return tuple(fields.get(name) for name in CSV_COLUMNS)


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else canonical(value).decode()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
