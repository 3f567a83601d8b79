"""A log in PostgreSQL has the pages that the local log has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from periods import event
from postgres_logs import ORIGIN, Database, database, records_of
from servers_postgres import PASSWORD, postgres_server
from signed_logs import Key
from viewers import Access, as_copy, client

from chained_logging.review.opening import open_log
from chained_logging.review.overview import overview
from chained_logging.review.period import Period
from chained_logging.review.verdict import Verdict, judge
from chained_logging.sinks import open_sink

__all__ = ["database", "postgres_server"]

NOVEMBER = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
EVENTS = [
    event(
        number % 59 + (0.4 if number % 17 else 0),
        ("read", "write", "export")[number % 3],
        actor=("", "ann", "bob", "carla")[number % 4],
        result=("success", "denied")[number % 9 == 0],
        ip=f"10.0.{number // 100}.{number % 5}",
        tenant=f"t-{number % 2}",
        changed_fields=["name"] if number % 6 == 1 else None,
    )
    for number in range(240)
]


@pytest.fixture
def logs(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """The local log, and the URL of the store that it was shipped to."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    records = records_of(tmp_path, EVENTS, key=Key())
    (local,) = tmp_path.glob("*.jsonl")
    notes = [note for _, note in open_sink(local).checkpoints()]
    database.shipper.write(ORIGIN, records, notes)
    return as_copy(local), database.server.url(database.name, "test_reader")


def test_the_overview_is_the_same(logs: tuple[Path, str]) -> None:
    fine = Verdict("intact", "fine")
    with open_log(str(logs[0])) as here, open_log(logs[1]) as there:
        expected = overview(here, fine, NOVEMBER)
        assert overview(there, fine, NOVEMBER) == expected
    assert expected.numbers[0].now > 90
    assert expected.coverage.step_count > 0
    assert expected.news is not None
    here, there = (judge(str(log)) for log in logs)
    assert (there.status, there.covered) == (here.status, here.covered) == ("intact", 240)


def test_the_pages_are_the_same_but_for_the_name(logs: tuple[Path, str]) -> None:
    here, there = (client(log, Access("ann", tenants=["t-1"])) for log in logs)
    for page in (
        *("/?since=2024-11-01&until=2024-12-01", "/entries", "/entries?actor=ann&before=100"),
        *("/entries?actor=anne", "/actor?id=ann", "/resource?id=patient_record/456"),
        *("/entries.csv?result=denied", "/entries.jsonl", "/entry/2", "/entry/1"),
    ):
        bodies = []
        for viewer in (here, there):
            answer = viewer.get(page)
            assert PASSWORD not in answer.text
            html = re.sub(r"<title>.*?</title>|<bdi>[^<]*</bdi></p>", "", answer.text)
            html = re.sub(r"Overview of [^<]*|Checked [^<]*", "", html)
            proof = html.partition('<h2 id="proof">')
            bodies.append((answer.status_code, proof[0]))
        assert bodies[0] == bodies[1], page
