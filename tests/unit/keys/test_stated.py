"""Whose word a decision is."""

from __future__ import annotations

from pathlib import Path

from chains import EVENT
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.format.record import Record
from chained_logging.keys.stated import doubt_of, ring_of
from chained_logging.sinks import open_sink


def test_the_ring_has_the_logs_name(path: Path) -> None:
    with AuditLog(path, origin=ORIGIN) as log:
        log.append("a", **EVENT)
    first = next(open_sink(path).records())
    assert ring_of(first).origin == ORIGIN
    assert ring_of(Record(0, b"[]", "")).origin == ""


def test_with_a_key_it_must_be_stated_and_without_one_it_need_not(path: Path) -> None:
    for key, reason in ((None, None), (Key(), "the log's key did not sign its statement")):
        where = path.with_stem(f"audit-{bool(key)}")
        with AuditLog(where, key=key) as log:
            entry = log.note("hold.release", case="c")
            stated = log.decide("hold.release", {"case": "c"}, loosens=True)
        records = list(open_sink(where).records())
        ring = ring_of(records[0])
        for record in records:
            ring.look(record)
        assert doubt_of("hold.release", entry, ring) == reason
        assert doubt_of("hold.release", stated, ring) is None
