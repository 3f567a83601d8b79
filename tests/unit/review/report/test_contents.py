"""What a report says depends on the log alone, and on nothing that came after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from periods import event, write_log
from postgres_logs import Database, database
from servers_postgres import postgres_server
from signed_logs import ORIGIN, Key, append_lines, own

from chained_logging import AuditLog
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.report.contents import Asked, Contents, contents, size_of, unread
from chained_logging.review.verdict import judge
from chained_logging.sinks import open_sink

__all__ = ["database", "postgres_server"]

NOVEMBER = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
EVENTS = [
    event(5, "export"),
    event(33, "update", actor="root", actor_type="admin", changed_fields=["name"]),
    event(34, "export", actor="bob", result="denied"),
]


def reported(path: Path | str, size: int | None = None) -> Contents:
    verdict = judge(str(path))
    with open_log(str(path)) as engine:
        stands = size_of(engine, verdict, size)
        return contents(engine, Asked(str(path), "pci", NOVEMBER, stands), verdict)


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"audit.{request.param}"


def test_a_report_stands_on_the_newest_checkpoint(path: Path) -> None:
    key = Key()
    write_log(path, EVENTS, key=key, origin=ORIGIN)
    before = reported(path)
    assert (before.asked.size, before.later) == (4, 0)
    with AuditLog(path, sign="follow") as log:
        log.note("audit_log.read", on_behalf_of="ann", how="report", entries=3)
    after = reported(path)
    assert (after.asked.size, after.later) == (4, 1)
    assert after.verdict.sentences == before.verdict.sentences
    assert after.body is not None
    assert before.body is not None
    assert after.body.readers == before.body.readers
    assert after.body.overview.numbers == before.body.overview.numbers
    with AuditLog(path, key=key) as log:
        log.append_many(EVENTS)
    assert reported(path).asked.size == 8
    assert reported(path, 4).verdict.sentences[:2] == before.verdict.sentences[:2]


def test_an_unsigned_log_is_reported_up_to_what_is_more_than_a_reading(path: Path) -> None:
    write_log(path, EVENTS)
    for _ in range(2):
        with AuditLog(path) as log:
            log.note("audit_log.read", on_behalf_of="ann", how="report", entries=3)
        assert reported(path).asked.size == 4
    with pytest.raises(ValueError, match="the log has 6 entries"):
        reported(path, 7)


def test_the_sections_are_about_the_period(path: Path) -> None:
    write_log(path, EVENTS)
    append_lines(path, [own("audit_log.read", how="query", entries=7)], own=True)
    append_lines(path, [event(35)])
    found = reported(path).body
    assert found is not None
    assert [row[0] for row in found.actors.rows] == ["bob", "root", "user-1"]
    assert [row[0] for row in found.administrators[0].rows] == ["root"]
    assert [row[2] for row in found.exports[1].rows] == ["bob"]
    assert [row[2] for row in found.changes[1].rows] == ["root"]
    assert found.failures.rows[0][0] == "bob"
    assert found.keys[0][0].what.startswith("The log began.")  # of the whole log


def test_a_log_that_cannot_be_read_has_a_verdict_all_the_same(path: Path) -> None:
    write_log(path, EVENTS)
    asked = Asked(str(path), "pci", NOVEMBER, 0)
    found = unread(asked, judge(str(path)), "it is not a log")
    assert (found.body, found.unread) == (None, "it is not a log")
    assert found.standard.title == "PCI DSS"
    with pytest.raises(ValueError, match="no standard"):
        unread(asked._replace(standard="iso"), judge(str(path)), "")


def test_a_central_store_has_the_same_report(database: Database, tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.db", EVENTS, key=Key(), origin=ORIGIN)
    sink = open_sink(path)
    kept = [checkpoint for _, checkpoint in sink.checkpoints()]
    database.shipper.write(ORIGIN, list(sink.records()), kept)
    here, there = reported(path), reported(database.url)
    assert there.verdict.intact
    assert there.body is not None
    assert here.body is not None
    assert there.body.sample == here.body.sample
    assert there.body.sample.missing is None
    for name in ("actors", "actions", "resources", "failures", "changes", "exports", "keys"):
        assert getattr(there.body, name) == getattr(here.body, name), name
    assert "central store" in str(there.shipped[1])
