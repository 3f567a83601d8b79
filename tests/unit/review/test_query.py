"""The engine shows what is found in pages, and counts it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from asked_logs import engine
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

__all__ = ["engine"]


def test_pages_follow_each_other_whatever_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append_many([{**EVENT, "action": "read"}] * 24)
        with open_log(str(path)) as engine:
            first = engine.entries(limit=10)
            log.append("write", **EVENT)
            engine.store.refresh()
            second = engine.entries(limit=10, cursor=first.cursor)
            third = engine.entries(limit=10, cursor=second.cursor)
            newest = engine.entries(limit=1).entries
    pages = [[entry.seq for entry in page.entries] for page in (first, second, third)]
    assert list(itertools.chain(*pages)) == list(range(24, -1, -1))
    assert third.cursor is None
    assert newest[0].action == "write"


def test_facets_and_days_count_what_is_found(engine: Engine) -> None:
    wanted = Filter(actor=("user-3",))
    facets = engine.facets(wanted, columns=["action", "result"], limit=2)
    assert facets["action"] == [("read", 21), ("write", 21)]
    assert len(facets["result"]) == 2
    days = engine.histogram(wanted)
    assert sum(sum(day.values()) for day in days.values()) == 42
    assert all(len(day) == 10 for day in days)
    with pytest.raises(ValueError, match="must be one of"):
        engine.facets(columns=["seq; DROP TABLE entries"])


def test_scope_says_what_was_looked_at(engine: Engine) -> None:
    everything = list(engine.every(ANY))
    scope = engine.scope()
    times = sorted(entry.timestamp for entry in everything)
    assert scope == (302, times[0], times[-1])
    assert engine.scope(Filter(actor=("nobody",))) == (0, None, None)
