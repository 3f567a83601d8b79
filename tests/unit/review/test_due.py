"""What waits for somebody, as the overview lists it."""

from __future__ import annotations

from pathlib import Path

from chains import EVENT
from findings import Denials

from chained_logging import AuditLog
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.due import due
from chained_logging.review.opening import open_log


def test_open_alerts_are_due_until_somebody_acknowledges_them(path: Path) -> None:
    with AuditLog(path) as log:
        for who in ("ann", "bob"):
            log.append("read", **(EVENT | {"actor": who, "result": "denied"}))
    with Desk(str(path)) as desk:
        first, second = desk.rounds([Denials()]).round().raised
        desk.acknowledge(first.seq, "eve", "a drill")
    with open_log(str(path)) as engine:
        (one,) = due(engine) or ()
        assert one.title == "high: bob was denied 456."
        assert one.since == second.raised
        assert [entry.seq for entry in engine.every(one.wanted)] == [second.seq]


def test_where_nobody_looks_nothing_is_said(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    with open_log(str(path)) as engine:
        assert due(engine) is None
