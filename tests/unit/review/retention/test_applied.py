"""Entries that let others go: what counts of them, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from hypothesis import given
from hypothesis import strategies as st
from retention_logs import days_ago, fill, old, purge
from signed_logs import OWN, Key, append_lines

from chained_logging import AuditLog
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.review.retention.applied import (
    Applies,
    Apply,
    Named,
    Ranges,
    is_kept_always,
    timestamp_of,
)
from chained_logging.review.retention.policies import Policy
from chained_logging.sinks import open_sink

GOOD: dict[str, Any] = {
    "policy": "p",
    "days": 30,
    "before": "2020-01-01T00:00:00.000000Z",
    "selector": {},
    "ranges": [[1, 2], [4, 4]],
    "count": 3,
}


def said(**context: Any) -> AuditEntry:
    event = {**OWN, "resource": ("audit_log", "o"), "context": GOOD | context}
    body = draft(event, action="retention.apply", own=True).body(9, "0" * 64)
    return AuditEntry(body, "1" * 64)


def test_what_a_log_writes_is_read() -> None:
    found = Apply.read(said())
    assert (found.seq, found.policy, list(found.ranges)) == (9, "p", [(1, 2), (4, 4)])


@pytest.mark.parametrize(
    "context",
    [
        {"ranges": [[1, 2], [3, 4]], "count": 4},  # they touch
        {"ranges": [[4, 4], [1, 2]]},
        {"ranges": [[1, 2], [2, 2]]},
        {"ranges": [[0, 2]]},
        {"ranges": [[2, 1], [3, 6]]},
        {"ranges": [[7, 9]]},  # not before it
        {"ranges": [["1", "2"]]},
        {"ranges": [[1, 2, 3]]},
        {"ranges": {"1": 2}},
        {"count": 4},
        {"days": -1},
        {"days": True},
        {"before": days_ago(3)},  # thirty days after that are not over
        {"before": "2020"},
        {"selector": {"actor_id": ["a"]}},
        {"selector": {"action": "read"}},
        {"policy": 7},
    ],
)
def test_what_no_log_writes_is_refused(context: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Apply.read(said(**context))


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
def test_ranges_hold_what_was_added(some: set[int], others: set[int]) -> None:
    one, two = Ranges(), Ranges()
    for seq in sorted(some):
        one.add(seq)
    for seq in sorted(others):
        two.add(seq)
    assert {seq for seq in range(61) if seq in one} == some
    assert one.count() == len(some)
    if some:
        assert list(Ranges.read([list(pair) for pair in one], 61)) == list(one)
    both = Ranges.merged([one, two])
    assert {seq for a, b in both for seq in range(a, b + 1)} == some | others
    assert list(both) == sorted(both)
    assert both.count() == len(some | others)


@given(st.text(max_size=5), st.text(max_size=5))
def test_a_timestamp_is_found_whatever_else_is_said(agent: str, note: str) -> None:
    told = {"user_agent": f'","timestamp":"{agent}', "note": f',"timestamp":"{note}"'}
    body = draft({"action": "a", **EVENT, "timestamp": days_ago(3), **told}).body(1, "0" * 64)
    assert timestamp_of(body) == AuditEntry(body, None).timestamp
    assert timestamp_of(b'{"action":"a"}') is None


def record(action: str, seq: int = 5, **fields: Any) -> Record:
    event = {**EVENT, "timestamp": "2019-01-01T00:00:00Z", **fields}
    own = event.get("actor_id") == "chained_logging"
    if own:
        event = {**OWN, "resource": ("audit_log", "o"), "timestamp": "2019-01-01T00:00:00Z"}
    return Record(seq, draft(event, action=action, own=own).body(seq, "0" * 64), "1" * 64)


def test_an_entry_goes_only_if_the_policy_covers_it() -> None:
    apply = Apply.read(said(selector={"action": ["read"]}))

    def goes(one: Record) -> bool:
        return apply.lets_go(one, AuditEntry(one.body, one.hash).fields)

    assert goes(record("read"))
    assert not goes(record("write"))
    assert not goes(record("read", seq=0))
    assert not goes(record("read", timestamp="2020-01-01T00:00:00Z"))
    assert Named([apply]).naming(2) is apply
    assert Named([apply]).naming(3) is None


def test_what_the_log_says_about_keys_holds_and_purges_always_stays() -> None:
    for action in ("key.rotate", "hold.add", "retention.apply"):
        assert is_kept_always(record(action, actor_id="chained_logging"))
        assert not is_kept_always(record(action))
    assert not is_kept_always(record("log.close", actor_id="chained_logging"))


def found(path: Path) -> Applies:
    applies = Applies()
    for one in open_sink(path).records():
        applies.look(one)
    return applies


def test_in_a_signed_log_only_the_keys_word_counts(path: Path) -> None:
    key = Key()
    fill(path, [old(400)] * 9, key=key)
    view, done = purge(path, Policy("year", 365), key=key)
    assert done.removed == view.plan.count == 9
    assert [one.seq for one in found(path).valid] == [done.entries[0].seq]
    context = dict(done.entries[0].context)
    forged = {
        **OWN,
        "action": "retention.apply",
        "context": context,
        "resource": ("audit_log", "o"),
    }
    append_lines(path, [forged], own=True)
    applies = found(path)
    assert len(applies.valid) == 1
    assert "did not sign its statement" in applies.remarks[0]


def test_somebody_elses_entry_of_that_name_is_none(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("retention.apply", **EVENT, context=GOOD)
    assert found(path).valid == []
    assert found(path).remarks == []
