"""What a shipper reads: a log is one."""

from __future__ import annotations

from pathlib import Path

from chains import EVENT
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.ship.source import Source


def test_a_log_is_a_source(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN, key=Key()) as log:
        log.append("a", **EVENT)
        first = log.checkpoint()
        log.append("b", **EVENT)
        log.checkpoint()
        source: Source = log
        assert (source.path, source.origin) == (path, ORIGIN)
        records = list(source.records())
        assert [record.seq for record in records] == list(range(len(records)))
        assert list(source.records(2)) == records[2:]
        assert source.durable_head() == (records[-1].seq, records[-1].hash)
        marks = list(source.checkpoints_after())
        assert [stored.size for _, stored in marks] == [2, 3]
        assert marks[0][1].note.encode() == first
        assert list(source.checkpoints_after(marks[0][0])) == marks[1:]
