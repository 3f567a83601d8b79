"""The overview counts what the entries say, in a period and in the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
from periods import TODAY, event, write_log
from signed_logs import OWN, append_lines

from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.overview import Overview, newest_event, overview
from chained_logging.review.period import Period
from chained_logging.review.verdict import judge

NOVEMBER = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
EVENTS = [
    event(3),
    event(5, "write", actor="ann", resource="invoice/1", result="denied"),
    event(33, tenant="t-1"),
    event(33, actor="bob", ip="10.0.0.2", result="denied", tenant="t-1"),
    event(34, "export", resource="invoice/2", result="failure"),
    event(34, "rename", changed_fields=["name"], resource="letter/1"),
    event(35, actor="chained_loggin", actor_type="system", ip=None),
]


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_log(tmp_path / f"audit.{request.param}", EVENTS)


def seen(path: Path, period: Period = NOVEMBER, wanted: Filter = ANY) -> Overview:
    with open_log(str(path)) as engine:
        return overview(engine, judge(str(path)), period, wanted)


def numbers(found: Overview) -> dict[str, tuple[int, int | None]]:
    return {number.name: number[1:] for number in found.numbers}


def test_six_numbers_beside_those_of_the_period_before(path: Path) -> None:
    assert numbers(seen(path)) == {
        "entries": (5, 2),
        "actors": (3, 2),
        "resources": (3, 2),
        "failures": (2, 1),
        "changes": (1, 1),
        "exports": (1, 0),
    }


def test_each_day_is_there_with_its_results(path: Path) -> None:
    days = seen(path).days
    assert len(days) == 30
    assert days["2024-11-03"] == {"success": 1, "denied": 1}
    assert days["2024-11-07"] == {}


def test_what_is_new_is_what_no_entry_before_has(path: Path) -> None:
    news = seen(path).news
    assert news is not None
    assert [new.value for new in news["actor_id"].values] == ["bob", "chained_loggin"]
    assert [new.value for new in news["ip_address"].values] == ["10.0.0.2"]
    assert [new.value for new in news["resource_type"].values][:1] == ["letter"]
    assert news["actor_id"].count == 2


def test_where_the_log_begins_nothing_is_compared(path: Path) -> None:
    found = seen(path, Period("2024-10-01T00:00:00.000000Z", NOVEMBER.since))
    assert found.news is None
    assert {before for _, before in numbers(found).values()} == {None}


def test_a_narrowed_overview_counts_no_other_entry(path: Path) -> None:
    found = seen(path, wanted=Filter(tenant=("t-1",)))
    assert numbers(found)["entries"] == (2, None)
    assert found.log.entries == found.scope.entries == 2
    assert found.days["2024-11-04"] == {}


def test_who_read_the_log_and_why(path: Path) -> None:
    about = {"how": "query", "filter": "actor=ann", "entries": 7}
    read = event(36, "audit_log.read", on_behalf_of="eve", reason="complaint 7", context=about)
    append_lines(path, [{**read, **OWN}], own=True)
    append_lines(path, [event(36, "audit_log.read", actor="mallory")])
    found = seen(path)
    assert found.reading_count == 1
    (reading,) = found.readings
    assert (reading.who, reading.reason, reading.filter) == ("eve", "complaint 7", "actor=ann")
    assert (reading.how, reading.entries) == ("query", 7)
    assert seen(path, wanted=Filter(action=("read",))).readings == ()


def test_the_latest_period_does_not_reach_into_the_future(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(4000)])
    with open_log(str(path)) as engine:
        assert Period.ending(newest_event(engine, now=TODAY), 7) == Period(
            "2024-11-22T00:00:00.000000Z", "2024-11-29T00:00:00.000000Z"
        )


def test_an_empty_log_has_an_overview(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    with open_log(str(path)) as engine:
        found = overview(engine, judge(str(path)), Period.ending(newest_event(engine, now=TODAY)))
    assert found.scope == (0, None, None)
    assert {count for count, _ in numbers(found).values()} == {0}
    assert found.coverage.complete
