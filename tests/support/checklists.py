"""Logs to go through with a checklist, and what probes say of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from chains import EVENT
from freezegun import freeze_time

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.review.checklist.answer import Found, Status
from chained_logging.review.checklist.probes.every import asked
from chained_logging.review.checklist.subject import Subject

ORIGIN = "example.com/audit/web"
_keys: dict[Path, PrivateKey] = {}


def recorded(
    path: Path, *events: dict[str, Any], notes: tuple[dict[str, Any], ...] = (), **options: Any
) -> Path:
    """Write a log with these events, signed, and with notes of its own; return its path.

    A second time, the log goes on under its key.
    """
    key = _keys.setdefault(path, PrivateKey.generate())
    options = {"key": key, "origin": ORIGIN, **options}
    with AuditLog(path, **options) as log:
        log.append_many(list(events) or [{"action": "read", **EVENT}])
        for note in notes:
            log.note(**note)
        if options["key"] is not None:
            log.checkpoint()
    return path


def event(action: str = "read", days_ago: float = 0, **fields: Any) -> dict[str, Any]:
    """Return an event so many days before now."""
    at = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago)
    return {"action": action, **EVENT, "timestamp": at.isoformat(), **fields}


def looked(subject: Subject | Path, call: str, *, days_later: float = 0) -> Found:
    """Return what a probe finds now, or some days later."""
    subject = Subject(str(subject)) if isinstance(subject, Path) else subject
    then = dt.datetime.now(dt.UTC) + dt.timedelta(days=days_later)
    try:
        if not days_later:
            return asked(subject, call)
        with freeze_time(then):
            return asked(subject, call)
    finally:
        subject.close()


def is_met(found: Found) -> bool:
    """Whether a probe says met, with evidence; fails if it could not look."""
    assert found.status is not Status.UNSEEN, found
    assert all(piece.at and piece.where for piece in found.seen)
    return found.status is Status.MET


def configured(folder: Path, text: str) -> None:
    """Write a configuration that commands in a folder use."""
    file = folder / "chained-logging.toml"
    file.write_text(text)
    file.chmod(0o600)
