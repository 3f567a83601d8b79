"""What a person and a program are told of a plan."""

from __future__ import annotations

import json
from pathlib import Path

from retention_logs import ANN, fill, old, purge

from chained_logging import AuditLog
from chained_logging.review.retention.apply import look_at
from chained_logging.review.retention.holds import add_hold
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.told import as_json, outcome, sentences
from chained_logging.ship.holds import Covered
from chained_logging.sinks import open_sink

LONG = Policy("long", 1000, "hipaa", "45 CFR", resource_type=("patient_record",))
SHORT = Policy("short", 100)


def test_each_reason_is_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    fill(path, [old(2000), old(500), old(500, resource="a/1"), old(2000, action="held")])
    with AuditLog(path, sign="follow") as log:
        add_hold(log, "Smith", Covered(action="held"), "r", ANN)
    view = look_at(path, open_sink(path), [LONG, SHORT], without_copy=True)
    told = "\n".join(sentences(view))
    assert (
        "long (hipaa, 1,000 days, resource_type patient_record; 45 CFR): 1 entry would go" in told
    )
    assert "kept by the hold Smith: 1 entry" in told
    assert "conflict: short would let 1 entry go that long keeps" in told
    found = json.loads(json.dumps(as_json(view)))
    assert (found["removable"], found["held"], found["unselected"]) == (2, {"Smith": 1}, 0)
    assert [each["entries"] for each in found["policies"]] == [1, 1]
    assert found["conflicts"] == [{"longer": "long", "shorter": "short", "entries": 1}]
    _, done = purge(path, LONG, SHORT)
    assert outcome(done)["removed"] == 2
    again = "\n".join(sentences(look_at(path, open_sink(path), [LONG, SHORT])))
    assert "2 entries removed before" in again
    assert "nothing would go from before" in again


def test_without_policies_it_says_where_they_are_written(path: Path) -> None:
    fill(path, [old(2000)])
    view = look_at(path, open_sink(path), [])
    assert "add a table [retention.NAME]" in "\n".join(sentences(view))


def test_what_stands_nowhere_else_is_told_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    fill(path, [old(2000)] * 30)
    told = "\n".join(sentences(look_at(path, open_sink(path), [SHORT])))
    assert "not verified elsewhere: 30 entries (the log is neither shipped" in told
