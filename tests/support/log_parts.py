"""Parts of a log by themselves: a state with a real store, options, events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chains import EVENT
from signed_logs import ORIGIN

from chained_logging import AuditLog
from chained_logging.event.draft import Draft, draft
from chained_logging.format.record import Record
from chained_logging.log.options import Options
from chained_logging.log.state import State
from chained_logging.sinks import open_sink

_DEFAULTS: dict[str, Any] = {
    "durability": "os",
    "on_failure": "continue",
    "origin": None,
    "sync_interval": 1.0,
    "max_bytes": None,
    "max_age": None,
    "timeout": 1.0,
    "sign": "checkpoint",
    "checkpoint_every": 1000,
    "checkpoint_interval": 10.0,
    "heartbeat": None,
}


def options(**given: Any) -> Options:
    """Return options, with the defaults of a log."""
    return Options(**{**_DEFAULTS, **given})


def events(*actions: str) -> list[Draft]:
    """Return an event for each action."""
    return [draft(EVENT, action=action) for action in actions]


@contextlib.contextmanager
def state_of(path: Path, *actions: str) -> Iterator[State]:
    """Give the state of a log that has a genesis entry and one for each action."""
    with AuditLog(path, origin=ORIGIN) as log:
        for action in actions:
            log.append(action, **EVENT)
    state = State(path, open_sink(path))
    state.origin = ORIGIN
    try:
        yield state
    finally:
        state.sink.close()
        state.file_lock.close()


def actions(records: Any) -> list[str]:
    """Return what the records are about."""
    return [_action(record) for record in records]


def _action(record: Record) -> str:
    start = len(b'{"action":"')
    return record.body[start : record.body.index(b'"', start)].decode()
