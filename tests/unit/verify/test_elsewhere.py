"""Stubs of entries that an archive has, as a store says: they lack here, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

from chains import EVENT

from chained_logging import AuditLog, verify
from chained_logging.format.stub import Stub
from chained_logging.sinks.lines import line_of
from chained_logging.verify import Report, Stream

GONE = (3, 4, 5, 8, 9)


def report(path: Path, *elsewhere: tuple[int, int, str]) -> Report:
    with AuditLog(path) as log:
        log.append_many([{"action": "a", **EVENT}] * 11)
        items = [Stub(one.seq, one.hash) if one.seq in GONE else one for one in log.records()]
    return verify(stream=Stream("store", map(line_of, items), (), elsewhere))


def test_what_is_in_an_archive_lacks_here(path: Path) -> None:
    found = report(path, (0, 3, "/a"), (4, 8, "/b"), (9, 20, "/a"))
    assert found.status == "incomplete"
    assert "--archive" in str(found.reason)
    (fault,) = found.faults
    assert "5 entries up to 9 are in the archive /a, /b" in fault.reason


def test_what_is_nowhere_is_a_fault(path: Path) -> None:
    found = report(path, (0, 2, "/a"), (4, 4, "/a"), (9, 11, "/a"))
    assert found.status == "tampered"
    reasons = [fault.reason for fault in found.faults]
    assert ["of entry 3," in reasons[0], "of entry 5," in reasons[1], "entry 8," in reasons[2]]
    assert "2 entries up to 9 are in the archive /a" in reasons[3]
    assert len(reasons) == 4
