"""A log in PostgreSQL is asked as a local log is, and answers alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asked_logs import FILTERS_OF_ANY
from chains import EVENT
from click.testing import CliRunner
from postgres_logs import ORIGIN, Database, Unguarded, database, records_of
from servers_postgres import PASSWORD, postgres_server
from signed_logs import Key

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.errors import BrokenLog, ShipError
from chained_logging.format.canonical import canonical
from chained_logging.keys.statements import verifier_key
from chained_logging.review.evidence import make_evidence
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.postgres import PostgresLog, _named, _quoted
from chained_logging.review.query import Answer
from chained_logging.review.questions import NAMES
from chained_logging.sinks import open_sink
from chained_logging.verify import verify_evidence

__all__ = ["database", "postgres_server"]

EVENTS: list[dict[str, Any]] = [
    {
        **EVENT,
        "action": ("read", "write", "login", "export")[number % 4],
        "actor": f"user-{number % 5}",
        "actor_type": ("user", "admin", "service")[number % 3],
        "on_behalf_of": "boss" if number % 7 == 0 else None,
        "ip": ("10.0.0.1", "2001:db8::1", None)[number % 3],
        "resource": f"patient/{number % 4}",
        "resources": [f"note/{number % 3}", "https://x.example/2"] if number % 5 == 0 else None,
        "result": ("success", "denied", "failure")[number % 11 % 3],
        "tenant": f"t-{number % 2}",
        "session_id": f"s-{number // 10}",
        "user_agent": "curl/8" if number % 6 == 0 else None,
        "trace_id": f"{number // 5 + 1:032x}",
        "changed_fields": ['na"me', "wärd/2"] if number % 4 == 1 else None,
        "old_values": {"name": "Müller-Lüdenscheidt\n4711"} if number % 4 == 1 else None,
        "reason": "Treatment, ward 5" if number % 8 == 0 else None,
        "route": "/wards/{ward_id}/beds/{bed}",
        "params": {"ward_id": str(number % 3), "bed": "b/1"},
        "note": "nul \0 here" if number % 10 == 0 else "x",
    }
    for number in range(200)
] + [{"action": "odd", "actor": "", "resource": "patient/1"}]

FILTERS = [
    *FILTERS_OF_ANY,
    "ip=2001:db8::1&tenant=t-1",
    "ip=unknown",
    "trace_id=xyz",
    "id=00000000-0000-7000-8000-000000000000",
    "id=nothing",
    "changed=w%C3%A4rd/2&actor=user-1",
    "resource=patient/2",
    "resource=2",
    "text=nul",
    "text=n%27%20%7C%20%26%20!%20(x",
]


@pytest.fixture
def filled(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    database.shipper.write(ORIGIN, records_of(tmp_path, EVENTS), [])
    return database


def reader(filled: Database) -> str:
    return filled.server.url(filled.name, "test_reader")


def test_postgresql_finds_and_answers_what_the_local_log_does(
    filled: Database, tmp_path: Path
) -> None:
    (local,) = tmp_path.glob("*.jsonl")
    with open_log(str(local)) as here, open_log(reader(filled)) as there:
        for text in FILTERS:
            wanted = Filter.parse(text)
            expected = [entry.line for entry in here.every(wanted)]
            assert [entry.line for entry in there.every(wanted)] == expected, text
            assert there.scope(wanted) == here.scope(wanted), text
        for name in NAMES:
            wanted = Filter(actor=("user-1",), resource=("patient/1", "patient/2"))
            assert there.ask(name, wanted) == here.ask(name, wanted)
        assert there.histogram() == here.histogram()
        assert there.facets() == here.facets()
        first = there.entries(ANY, limit=7)
        assert [entry.seq for entry in first.entries] == list(range(201, 194, -1))
        assert there.entries(ANY, limit=7, cursor=first.cursor).entries[0].seq == 194


def test_several_logs_of_one_store_are_asked_one_at_a_time(
    filled: Database, tmp_path: Path
) -> None:
    other = "example.com/audit/other"
    filled.shipper.write(other, records_of(tmp_path, EVENTS[:3], other), [])
    result = CliRunner().invoke(cli, ["query", reader(filled), "--json"])
    assert "choose one with --origin" in str(result.exception)
    assert PASSWORD not in str(result.exception)
    result = CliRunner().invoke(cli, ["query", reader(filled), "--json", "--origin", other])
    assert len(result.stdout.splitlines()) == 4


def test_evidence_from_postgresql_is_that_of_the_local_log(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    key = Key()
    records = records_of(tmp_path, EVENTS, key=key)
    (local,) = tmp_path.glob("*.jsonl")
    notes = [note for _, note in open_sink(local).checkpoints()]
    database.shipper.write(ORIGIN, records, notes)
    proven = 0
    for number, text in enumerate(FILTERS):
        wanted = Filter.parse(text)
        here, there = (tmp_path / f"{number}-{side}.zip" for side in ("here", "there"))
        try:
            made = make_evidence(str(local), here, wanted, key=key)
        except ValueError:  # nothing fits
            continue
        report = verify_evidence(here, public_key=verifier_key(ORIGIN, key))
        assert (report.status, report.statement) == ("intact", made.statement), report.faults
        unclear = [what for what in report.unproven if "about the resource" in what]
        assert not unclear, text
        if number % 8 == 0:
            make_evidence(reader(database), there, wanted, key=key)
            assert here.read_bytes() == there.read_bytes(), text
            proven += 1
    assert proven >= 3


def test_what_was_appended_is_there_at_once(filled: Database, tmp_path: Path) -> None:
    (path,) = tmp_path.glob("*.jsonl")
    with open_log(reader(filled)) as engine:
        before = engine.count()
        with AuditLog(path) as log:
            log.append("late", **EVENT)
            filled.shipper.write(ORIGIN, [r for r in log.records() if r.seq >= before], [])
        assert engine.count(Filter(action=("late",))) == 1


def test_an_entry_that_was_edited_is_said(filled: Database) -> None:
    with open_log(reader(filled)) as engine:
        assert engine.entries(Filter(first_seq=3, last_seq=4)).entries
        assert engine.store.fault is None
        with Unguarded(filled):
            filled.sql(
                "UPDATE chained_logging.entries SET body = replace(body, 'success', 'failure')"
            )
        assert engine.entries(Filter(last_seq=0)).entries
        assert engine.store.fault == "the hash of entry 0 is not that of its content"


def test_an_entry_that_is_gone_meanwhile_is_said(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_log(reader(filled)) as engine:
        ask = engine.store._ask
        monkeypatch.setattr(
            engine.store,
            "_ask",
            lambda sql, values: (
                Answer(("seq",), [(999_999,)]) if "limit" in values else ask(sql, values)
            ),
        )
        with pytest.raises(BrokenLog, match="entry 999999 is not there any more"):
            engine.entries(ANY, limit=1)


def test_an_entry_with_many_long_parameters_does_not_stop_the_shipper(database: Database) -> None:
    context = {"route": "/" + "L" * 19_000 + "/{a}" * 3_000, "params": {"a": "v" * 19_000}}
    body = canonical({"actor_id": "ann", "context": context}).decode()
    (found,) = database.sql(
        "SET statement_timeout = '20s'", f"SELECT length(chained_logging.searched('{body}'))"
    )
    assert found[0] > 3


def test_a_log_that_is_not_there_is_said_without_the_password(filled: Database) -> None:
    with pytest.raises(ShipError, match="does not hold the log 'nobody'") as caught:
        PostgresLog(reader(filled), "nobody")
    assert PASSWORD not in str(caught.value)


def test_parameters_are_named_as_the_driver_has_them() -> None:
    assert _named("a = :a AND b LIKE '%' AND c::text = :c_d") == (
        b"a = %(a)s AND b LIKE '%%' AND c::text = %(c_d)s"
    )


@pytest.mark.parametrize(
    ("lexeme", "quoted"),
    [
        ("a=it's", "'a=it''s'"),
        ("a=\\", "'a=\\\\'"),
        ("a=\0", "'a=\ufffd'"),
        ("a=\ud800", "'a=?'"),
    ],
)
def test_what_the_database_does_not_take_is_quoted_or_replaced(lexeme: str, quoted: str) -> None:
    assert _quoted(lexeme) == quoted


def test_a_value_too_long_for_a_lexeme_is_found(database: Database, tmp_path: Path) -> None:
    long = "x" * 600 + "é" * 600
    events = [{**EVENT, "action": "read", "user_agent": long + end} for end in "ab"]
    database.shipper.write(ORIGIN, records_of(tmp_path, events), [])
    with open_log(reader(database)) as engine:
        assert [entry.seq for entry in engine.every(Filter(user_agent=(long + "b",)))] == [2]
