"""The records that one event touched: ``resources``, and what does not fit one body."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from verifiers import check

from chained_logging import AuditEntry, AuditLog
from chained_logging.diagnostics import AuditWarning
from chained_logging.errors import NotALog
from chained_logging.event.draft import draft
from chained_logging.redact import Redactor
from chained_logging.review.opening import stored

LISTED = {**EVENT, "resource": "patients", "action": "list"}


def body(event: dict[str, Any], **options: Any) -> dict[str, Any]:
    made = draft(event, **options)
    assert not made.rest
    return AuditEntry(made.body(0, "GENESIS"), None).fields


class Patient:
    def __init__(self, id: int) -> None:
        self.id = id


def test_each_takes_the_forms_of_a_resource() -> None:
    given = ["patient/1", ("patient", 2), {"type": "patient", "id": 3}, Patient(4), "https://x/5"]
    fields = body({**LISTED, "resources": given})
    assert fields["resources"] == [
        *({"id": str(n), "type": "patient"} for n in range(1, 5)),
        {"id": "https://x/5", "type": "url"},
    ]
    assert body({**LISTED, "resources": {"b/1", "a/1"}})["resources"][0]["type"] == "a"
    assert body({**LISTED, "resources": []})["resources"] == []


def test_types_are_named_as_in_the_log_and_each_record_once() -> None:
    names = {"patients": "patient", "clinic.patient": "patient"}
    given = ["patients/1", "clinic.patient/1", "patient/1", "note/1"]
    fields = body({**LISTED, "resources": given}, resources=names)
    assert fields["resource_type"] == "patient"
    assert fields["resources"] == [{"id": "1", "type": "patient"}, {"id": "1", "type": "note"}]


def test_what_is_not_valid_is_told_and_the_others_are_kept() -> None:
    fields = body({**LISTED, "resources": ["patient/1", 7, "patient/", ("x" * 2000, 1)]})
    assert fields["resources"] == [{"id": "1", "type": "patient"}]
    assert fields["context"]["invalid"]["resources"] == [
        {"id": "7", "type": None},
        {"id": "", "type": "patient"},
        {"id": "1", "type": "x" * 2000},
    ]
    fields = body({**LISTED, "resources": iter(["patient/1"])})
    assert "resources" not in fields
    assert set(fields["context"]["invalid"]) == {"resources"}


def test_redaction_treats_each_as_the_resource_is_treated() -> None:
    card = "4111111111111111"
    given = [("order", card), ("card", card), ("order", "password=hunter2")]
    fields = body({**LISTED, "resources": given}, redact=Redactor())
    assert [record["id"] for record in fields["resources"]] == [card, "password=[redacted]"]
    assert fields["context"]["invalid"]["resources"] == [{"id": "[redacted]", "type": "card"}]
    redactor = Redactor(hashed=["resource_id", "on_behalf_of"], hash_key=b"k" * 32)
    hashed = body({**LISTED, "resources": ["a/1"], "on_behalf_of": "u-2"}, redact=redactor)
    assert hashed["resources"][0]["id"].startswith("hmac-sha256:")
    assert hashed["on_behalf_of"].startswith("hmac-sha256:")


def test_a_trace_id_of_another_kind_stays_in_the_context() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    fields = body({**LISTED, "trace_id": trace, "tenant": "acme", "on_behalf_of": Patient(7)})
    assert (fields["trace_id"], fields["tenant_id"], fields["on_behalf_of"]) == (trace, "acme", "7")
    for other in ("0" * 32, trace.upper(), 7, "1-5759e988-bd862e3fe1be46a994272793"):
        fields = body({**LISTED, "trace_id": other}, strict=True)
        assert "trace_id" not in fields
        assert fields["context"] == {"trace_id": other}


@pytest.mark.parametrize("suffix", ["jsonl", "db"])
def test_what_does_not_fit_one_body_fills_several_entries(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"audit.{suffix}"
    given = [("patient", n) for n in range(5000)]
    with AuditLog(path) as log:
        first = log.append(**LISTED, resources=given, note="x" * 30_000, resources_part="mine")
        many = log.append_many([{**LISTED, "resources": given[:3000]}, LISTED])
        id = log.record({**LISTED, "resources": given})
        appended = log.stats()["appended"]
    entries = list(stored(str(path)))[1:]
    assert len(entries) == appended
    assert many[1].resources is None
    by_event: dict[str, list[AuditEntry]] = {}
    for entry in entries:
        by_event.setdefault(entry.context.get("resources_part", {}).get("id"), []).append(entry)
    parts = by_event[first.id]
    assert [e.context["resources_part"]["number"] for e in parts] == [*range(1, len(parts) + 1)]
    assert {e.context["resources_part"]["of"] for e in parts} == {len(parts)}
    assert [r["id"] for e in parts for r in e.resources] == [str(n) for _, n in given]
    assert all(e.context["note"] == "x" * 30_000 for e in parts)
    assert all(e.context["_resources_part"] == "mine" for e in parts)
    assert {len(by_event[many[0].id]), len(by_event[str(id)])} == {2, 3}
    assert check(path).intact


def test_parts_wait_in_the_spill_file_like_any_entry(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, timeout=0) as log:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.warns(AuditWarning):
                log.append(**LISTED, resources=[("patient", n) for n in range(5000)])
        log.append(**LISTED)
    entries = list(stored(str(path)))
    assert sum(len(entry.resources or ()) for entry in entries) == 5000
    assert "log.recover" not in {entry.action for entry in entries}
    assert check(path).intact


def test_even_the_longest_names_fit() -> None:
    long = "a" + "\x01" * 1023
    fields = dict.fromkeys(("action", "actor", "session_id", "tenant", "on_behalf_of"), long)
    more = {"reason": "r" * 70_000, "old_values": {"a": "o" * 70_000}, "c": "c" * 70_000}
    event = {**fields, **more, "resource": (long, long), "resources": [(long, long), ("a", long)]}
    made = draft({**event, "ip": "?", "changed_fields": ["f" * 70_000], "user_agent": "u" * 70_000})
    assert made.fields["actor_id"] == long
    for part in (made, *made.rest):
        assert len(part.body(2**53 - 1, "a" * 64)) <= 65_535


def row(path: Path, *statements: str) -> None:
    """Change a database as somebody does who makes its triggers anew afterwards."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        triggers = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        for name in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for sql in statements:
            db.execute(sql)
        for sql in triggers.values():
            db.execute(sql)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM resources WHERE id = '2'",
        "DELETE FROM resources",
        "UPDATE resources SET id = '7' WHERE id = '2'",
        "UPDATE resources SET seq = 2 WHERE id = '2'",
        "UPDATE resources SET id = CAST(id AS BLOB) WHERE id = '2'",
        "INSERT INTO resources (type, id, seq) VALUES ('patient', '3', 1)",
        "INSERT INTO resources (type, id, seq) VALUES ('patient', '3', 9)",
    ],
)
def test_a_row_that_says_other_than_the_body_is_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append(**LISTED, resources=["patient/1", "patient/2"], note=',"resources":[')
        log.append(**LISTED, context={"resources": [{"id": "8", "type": "patient"}], "a": 1})
        log.append(**LISTED, resources=["patient/5"])
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT type, id, seq FROM resources").fetchall()
        assert found == [("patient", "1", 1), ("patient", "2", 1), ("patient", "5", 3)]
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT seq FROM resources WHERE type = 'patient' AND id = '2'"
        ).fetchall()
        assert "USING COVERING INDEX resources_type_id" in plan[0][3]
        for sql in ("UPDATE resources SET id = '3'", "DELETE FROM resources"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(sql)
    assert check(path).intact
    row(path, change)
    report = check(path)
    assert report.status == "tampered"
    assert "the table resources" in str(report.faults[0])


def test_a_database_of_before_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    AuditLog(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER resources_of_entry")
        db.execute("DROP TABLE resources")
    with pytest.raises(NotALog, match=r"made by a version before 0\.1\.0"):
        AuditLog(path)
