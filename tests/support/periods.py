"""A log of several weeks, made within a moment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from chains import EVENT

from chained_logging import AuditLog

FIRST = dt.datetime(2024, 10, 1, 8, tzinfo=dt.UTC)
TODAY = dt.datetime(2024, 11, 28, 12, tzinfo=dt.UTC)


def event(day: float, action: str = "read", **fields: Any) -> dict[str, Any]:
    """Return an event so many days after :data:`FIRST`."""
    return {
        **EVENT,
        "action": action,
        "timestamp": (FIRST + dt.timedelta(days=day)).isoformat(),
        **fields,
    }


def write_log(path: Path, events: list[dict[str, Any]], **options: Any) -> Path:
    """Write a log, and return its path."""
    with AuditLog(path, **options) as log:
        log.append_many(events)
    return path
