"""Logs with old entries, and the decisions by which some of them may be removed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from chains import EVENT

from chained_logging import AuditLog
from chained_logging.event.entry import AuditEntry
from chained_logging.event.values import timestamp_text
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import Record

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC)


def old(count: int, *, days: float = 800, **fields: Any) -> list[dict[str, Any]]:
    """Return events of so many days ago."""
    when = timestamp_text(NOW - days * DAY)
    return [
        {"action": "read", **EVENT, "timestamp": when, "number": number, **fields}
        for number in range(count)
    ]


def ranges(seqs: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for seq in sorted(seqs):
        if found and found[-1][1] == seq - 1:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found


def policy(records: Sequence[Record], seqs: Iterable[int], **change: Any) -> dict[str, Any]:
    """Return the context of a decision to remove these entries, which may not be a right one."""
    chosen, tree = set(seqs), Frontier()
    for record in records:
        if record.seq in chosen:
            tree.append(bytes.fromhex(record.hash))
    return {
        "policy": "two years",
        "standard": None,
        "clause": None,
        "days": 730,
        "before": timestamp_text(NOW - 730 * DAY),
        "selector": {},
        "ranges": ranges(chosen),
        "count": len(chosen),
        "root": tree.root().hex(),
        "copies": ["none required: --without-copy"],
    } | change


def decide(log: AuditLog, seqs: Iterable[int], **change: Any) -> AuditEntry:
    """Append the decision to remove these entries."""
    context = policy(list(log.records()), seqs, **change)
    return log.decide("retention.apply", context, loosens=True, on_behalf_of="ann")
