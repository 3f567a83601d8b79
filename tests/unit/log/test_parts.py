"""The parts of a log fit together, and leave its front to the program."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from chains import EVENT

from chained_logging import AuditLog


def test_no_part_keeps_the_front_alive(path: Path) -> None:
    log = AuditLog(path)
    log.append("a", **EVENT)
    parts, front = log._parts, weakref.ref(log)
    del log
    gc.collect()
    assert front() is None
    assert parts.state.closed  # the files went with the front


def test_what_a_forked_child_must_not_share_begins_afresh(path: Path) -> None:
    """Each part that has such state is among those that are told of a fork."""
    with AuditLog(path) as log:
        parts = log._parts
        told = set(map(id, parts.state.parts))
        found = [each for each in vars(parts).values() if hasattr(type(each), "afresh")]
        assert len(found) > 3
        assert all(id(part) in told for part in found)
