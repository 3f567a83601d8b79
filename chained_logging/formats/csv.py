"""CSV of RFC 4180, which a spreadsheet can open without running what is in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical
from chained_logging.formats.meaning import read

COLUMNS: Final = (
    *("seq", "timestamp", "actor_id", "actor_type", "on_behalf_of", "action"),
    *("resource_type", "resource_id", "resources", "result", "ip_address", "user_agent"),
    *("session_id", "tenant_id", "trace_id", "reason", "changed_fields", "old_values"),
    *("context", "id", "hash"),
)
"""Every field of an entry."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that a spreadsheet takes for a formula: the list of OWASP, which names the wide
signs too."""


def encode(entry: AuditEntry, origin: str) -> bytes:
    """Return an entry as a row of :data:`COLUMNS`.

    :param origin: the log's name, which no column has.
    :raises ValueError: if the entry cannot be converted.
    """
    read(entry)
    return row(values(entry)).encode()


def row(cells: Iterable[object]) -> str:
    """Return a line of CSV, with its line end.

    A value that a spreadsheet would take for a formula begins with an apostrophe, as OWASP advises.
    """
    line = io.StringIO()
    csv.writer(line).writerow(map(_cell, cells))
    return line.getvalue()


def values(entry: AuditEntry) -> tuple[object, ...]:
    """Return the values of :data:`COLUMNS`."""
    fields = {**entry.fields, "hash": entry.hash}
    return tuple(fields.get(name) for name in COLUMNS)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else canonical(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text
