"""A real PostgreSQL: met as init makes it, not met once anything of it is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import ORIGIN, configured, is_met, looked, recorded
from postgres_logs import Database, database
from servers_postgres import PASSWORD

from chained_logging.format.record import Record
from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes.postgres import _quoted
from chained_logging.review.checklist.subject import Subject
from chained_logging.sinks import open_sink

__all__ = ["database"]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path / "audit.jsonl")


@pytest.fixture
def shipped(log: Path, database: Database) -> Database:
    """A database that holds the log."""
    notes = [one for _, one in open_sink(log).checkpoints()]
    database.shipper.write(ORIGIN, list(open_sink(log).records()), notes)
    return database


def read_by(log: Path, database: Database, user: str = "test_reader") -> Subject:
    return Subject(str(log), stores=(database.server.url(database.name, user),))


def test_a_database_as_init_makes_it_refuses_changes(log: Path, shipped: Database) -> None:
    found = looked(read_by(log, shipped), "append_only")
    assert is_met(found)
    seen = {piece.what: piece.value for piece in found.seen}
    assert seen["differences from the schema that init makes"] == "0"
    assert seen["roles that log in and may change entries"] == "none"
    assert seen["superusers, who may change everything"] == "postgres"
    assert int(seen["triggers of chained_logging.entries that always fire"]) > 0
    assert PASSWORD not in str(found)


@pytest.mark.parametrize(
    "taken_away",
    [
        "ALTER TABLE chained_logging.entries DISABLE TRIGGER {trigger}",
        "DROP TRIGGER {trigger} ON chained_logging.entries",
        "GRANT DELETE ON chained_logging.entries TO test_shipper",
        "GRANT chained_logging_owner TO test_reader",
    ],
)
def test_a_database_without_a_part_of_it_does_not(
    log: Path, shipped: Database, taken_away: str
) -> None:
    ((trigger,),) = shipped.sql(
        "SELECT min(tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 "
        "AND tgrelid = 'chained_logging.entries'::regclass"
    )
    shipped.sql(taken_away.format(trigger=trigger))
    try:
        found = looked(read_by(log, shipped), "append_only")
    finally:
        shipped.sql("REVOKE chained_logging_owner FROM test_reader")  # roles outlive a database
    assert not is_met(found)
    assert "is not as init makes it" in found.sentence
    assert "init" in (found.mend or "")


def test_a_role_that_may_delete_everywhere_is_named(log: Path, shipped: Database) -> None:
    shipped.sql("CREATE ROLE cleaner LOGIN IN ROLE pg_write_all_data")
    try:
        found = looked(read_by(log, shipped), "append_only")
    finally:
        shipped.sql("DROP ROLE cleaner")
    assert not is_met(found)
    assert found.sentence.startswith("cleaner may change or delete entries")
    assert "REVOKE" in (found.mend or "")


def test_who_may_remove_by_a_decision_of_the_log_is_named(log: Path, shipped: Database) -> None:
    shipped.sql("CREATE ROLE officer LOGIN IN ROLE chained_logging_retention")
    try:
        found = looked(read_by(log, shipped), "append_only")
    finally:
        shipped.sql("DROP ROLE officer")
    assert is_met(found)
    (removers,) = (p.value for p in found.seen if p.what.startswith("roles that may remove"))
    assert "officer" in removers.split(", ")


def test_a_shipper_that_is_a_superuser_may_delete(
    log: Path, tmp_path: Path, shipped: Database
) -> None:
    configured(tmp_path, f'log = "{log}"\nship = ["{shipped.url}"]\n')
    found = looked(log, "append_only")
    assert not is_met(found)
    assert "shipped as postgres, a superuser" in found.sentence
    url = shipped.server.url(shipped.name, "test_shipper")
    configured(tmp_path, f'log = "{log}"\nship = ["{url}"]\n')
    assert is_met(looked(log, "append_only"))


def test_a_database_without_the_schema_is_not_append_only(log: Path, shipped: Database) -> None:
    found = looked(Subject(str(log), stores=(shipped.server.url(),)), "append_only")
    assert not is_met(found)


def test_who_reads_is_named_from_grants(log: Path, shipped: Database) -> None:
    found = looked(read_by(log, shipped), "who_reads")
    assert is_met(found)
    assert "test_reader" in found.seen[0].value
    assert "test_shipper" not in found.seen[0].value


def test_shipped_is_what_the_store_says(log: Path, shipped: Database) -> None:
    found = looked(read_by(log, shipped), "shipped")
    assert is_met(found)
    assert is_met(looked(read_by(log, shipped), "outside"))
    assert is_met(looked(read_by(log, shipped), "transport"))


def test_shipped_is_not_met_once_the_store_lags(log: Path, shipped: Database) -> None:
    recorded(log)
    assert is_met(looked(read_by(log, shipped), "shipped"))  # it is not an hour old
    found = looked(read_by(log, shipped), "shipped", days_later=1)
    assert not is_met(found)
    assert "has not arrived" in found.sentence


def test_shipped_is_not_met_by_an_empty_store(log: Path, database: Database) -> None:
    found = looked(read_by(log, database), "shipped")
    assert not is_met(found)
    assert "holds no entry of the log" in found.sentence
    assert not is_met(looked(read_by(log, database), "outside"))


def test_shipped_is_not_met_by_another_history(
    log: Path, tmp_path: Path, database: Database
) -> None:
    other: list[Record] = list(open_sink(recorded(tmp_path / "other.jsonl")).records())
    database.shipper.write(ORIGIN, other, [])
    found = looked(read_by(log, database), "shipped")
    assert not is_met(found)
    assert "another history" in found.sentence


def test_a_store_is_asked_as_a_log(shipped: Database) -> None:
    url = shipped.server.url(shipped.name, "test_reader")
    assert is_met(looked(Subject(url), "append_only"))
    assert is_met(looked(Subject(url), "fields"))
    assert is_met(looked(Subject(url), "intact"))
    assert looked(Subject(url), "clock").status is Status.UNSEEN


def test_what_mends_it_can_be_pasted() -> None:
    assert _quoted('ann"; DROP TABLE x; --') == '"ann""; DROP TABLE x; --"'
