"""Rules find the same in each kind of log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from postgres_logs import ORIGIN, Database, database, records_of
from servers_postgres import postgres_server

from chained_logging import AuditLog
from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Finding
from chained_logging.review.detect.rule import shipped
from chained_logging.review.opening import open_log
from chained_logging.sinks import open_sink

__all__ = ["database", "postgres_server"]

AWS = {"eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey"}
EVENTS: list[dict[str, Any]] = [
    *({**EVENT, "action": "login", "result": "failure"} for _ in range(12)),
    {**EVENT, "action": "login"},
    *({**EVENT, "result": "denied", "resource": f"patient/{n}"} for n in range(20)),
    *({**EVENT, "action": "delete", "resource": f"nöte/{n}"} for n in range(60)),
    {**EVENT, "actor": "ann", "resource": "user/ann", "changed_fields": ["name", "Roles"]},
    {**EVENT, "context": {**AWS, "requestParameters": {"userName": "ünknown"}}},
    {**EVENT, "actor": "nul \0 here", "action": "login", "result": "denied"},
]


def found(where: str) -> list[Finding]:
    with open_log(where) as engine:
        return list(RuleDetector(shipped()).findings(engine, -1, engine.count() - 1))


def test_a_file_a_database_and_postgresql_have_the_same_findings(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    records = records_of(tmp_path, EVENTS)
    database.shipper.write(ORIGIN, records, [])
    (source,) = [path for path in tmp_path.iterdir() if path.suffix in (".db", ".jsonl")]
    at_postgres = found(database.server.url(database.name, "test_reader"))
    assert {one.rule for one in at_postgres} >= {
        *("logins-failed", "login-guessed", "records-tried", "records-deleted"),
        *("rights-for-oneself", "aws-key-for-another"),
    }
    assert found(str(source)) == at_postgres
    other = tmp_path / ("other.db" if source.suffix == ".jsonl" else "other.jsonl")
    with AuditLog(other) as log:
        log.append_many(EVENTS)
    in_other = found(str(other))
    assert [(one.rule, one.entries) for one in in_other] == [
        (one.rule, one.entries) for one in at_postgres
    ]
    assert len(list(open_sink(source).records())) == len(records)
