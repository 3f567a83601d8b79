"""A shipper knows which batch a hold covers, wherever it begins to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.ship.holding import Holding


def test_holds_before_and_in_a_batch_count(path: Path) -> None:
    with AuditLog(path) as log:
        for action in ("a", "b"):
            log.append(action, **EVENT)
        log.note("hold.add", case="c", filter={"action": "a"})
        for action in ("b", "a"):
            log.append(action, **EVENT)
        log.note("hold.release", case="c")
        log.append("a", **EVENT)
        items = list(log.stored())
        new = Holding(log, {})
        assert not new.covers(items[:3])
        assert not new.covers(items[3:5])
        assert new.began_in(items[3:5])
        assert not new.began_in(items[5:6])
        assert new.covers(items[5:6])
        assert new.covers(items[5:6])  # sent once more
        assert not new.covers(items[7:])
        begun_later = Holding(log, {})
        assert begun_later.covers(items[5:6])
        assert not begun_later.covers(items[6:])


def test_what_was_read_is_remembered(path: Path) -> None:
    with AuditLog(path) as log:
        log.note("hold.add", case="c", filter={"action": "a"})
        log.append_many([{"action": "a", **EVENT}] * 3)
        items = list(log.stored())
    known = Holding(log, {})
    assert known.covers(items[:4])
    memory = json.loads(json.dumps(known.memory))
    assert memory["seq"] == 3
    assert Holding(Gone(), memory).covers(items[4:])  # type: ignore[arg-type]
    for useless in ({"seq": "x"}, {"seq": 3, "entries": ["{}"]}, {"seq": 3}, {"entries": []}):
        with pytest.raises(LookupError):
            Holding(Gone(), useless).covers(items[4:])  # type: ignore[arg-type]


class Gone:
    """A log that must not be read."""

    def stored(self, start: int = 0) -> NoReturn:
        raise LookupError
