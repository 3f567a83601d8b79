"""What the engine finds is what the filter says, entry by entry."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

EVENTS: list[dict[str, Any]] = [
    {
        **EVENT,
        "action": action,
        "actor": f"user-{number % 7}",
        "actor_type": ("user", "admin")[number % 2],
        "ip": f"10.0.0.{number % 5}",
        "resource": f"patient/{number % 11}",
        "resources": [f"note/{number % 3}", "https://x.example/2"] if number % 4 == 0 else None,
        "result": ("success", "denied", "failure")[number % 13 % 3],
        "tenant": f"t-{number % 2}",
        "on_behalf_of": "boss" if number % 9 == 0 else None,
        "session_id": f"s-{number // 10}",
        "user_agent": "curl/8" if number % 6 == 0 else "Mozilla/5.0 (X11)",
        "trace_id": f"{number // 5 + 1:032x}",
        "changed_fields": ["name", "ward/2"] if action == "write" else None,
        "old_values": {"name": "Müller-Lüdenscheidt\n4711"} if action == "write" else None,
        "reason": "Treatment, ward 5" if number % 8 == 0 else None,
        "route": "/wards/{ward_id}/beds/{bed}",
        "params": {"ward_id": str(number % 3), "bed": "b/1"},
    }
    for number in range(150)
    for action in ("read", "write")
]

FILTERS = [
    "",
    "actor=user-3",
    "actor=user-3&actor=user-4&action=write",
    "actor=USER-3",
    "actor_type=admin&result=denied&result=failure",
    "ip=10.0.0.2&tenant=t-1",
    "on_behalf_of=boss",
    "session=s-3",
    "session=s",
    "user_agent=curl/8&action=read",
    "user_agent=Mozilla/5.0%20(X11)&seq=10-20",
    "trace_id=0000000000000000000000000000000A",
    "changed=ward/2&actor=user-1",
    "changed=ward",
    "resource=patient/7",
    "resource=patient&seq=-30",
    "resource=7",
    "resource=note/1&resource=note/2",
    "resource=https://x.example/2",
    "resource=wards/2&action=write",
    "resource=ward/2",
    "resource=beds/b/1&seq=4",
    "resource=audit_log",
    "text=treatment",
    "text=WARD%205%20treatment",
    "text=treat*%20ward",
    "text=treat",
    "text=m%C3%BCller",
    "text=M%C3%9CLLER%204711",
    "text=name",
    "text=lüdenscheidt&text=treatment",
    "incomplete=true",
    "seq=5-9",
    "seq=290-",
    "since=2020-01-01",
    "until=2020-01-01",
    "since=1h&actor=user-0",
]


@pytest.fixture(scope="module", params=["jsonl", "db"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("query") / f"audit.{request.param}"
    with AuditLog(path) as log:
        log.append_many(EVENTS)
        log.append("odd", actor="", resource="patient/1")  # incomplete
    with open_log(str(path)) as opened:
        yield opened


def seqs(engine: Engine, wanted: Filter, **options: Any) -> list[int]:
    return [entry.seq for entry in engine.every(wanted, **options)]


@pytest.mark.parametrize("text", FILTERS)
def test_sql_finds_what_the_filter_says(engine: Engine, text: str) -> None:
    wanted = Filter.parse(text)
    expected = [entry.seq for entry in engine.every() if wanted.matches(entry)]
    assert seqs(engine, wanted) == expected
    assert engine.count(wanted) == len(expected)
    assert seqs(engine, wanted, order="newest") == expected[::-1]
    assert seqs(engine, wanted, limit=3, order="newest") == expected[::-1][:3]


def test_the_filters_find_some_and_not_all(engine: Engine) -> None:
    """So that the test above compares something."""
    found = [engine.count(Filter.parse(text)) for text in FILTERS]
    empty = {text for text, count in zip(FILTERS, found, strict=True) if not count}
    assert empty == {"actor=USER-3", "session=s", "changed=ward", "text=treat", "until=2020-01-01"}
    assert max(found[1:]) <= found[0] == 302


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


def test_an_entry_that_was_edited_is_said(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append_many([{**EVENT, "action": "read"}] * 5)
    path.write_bytes(path.read_bytes().replace(b"read", b"rEad"))
    with open_log(str(path)) as engine:
        assert engine.store.fault == "the hash of entry 1 is not that of its content"
