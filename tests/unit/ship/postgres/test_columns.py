"""Columns, which are queried, agree with the bodies, which are verified."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commands import command
from postgres_logs import (
    ORIGIN,
    Database,
    Unguarded,
    forged,
)

from chained_logging.format.record import Record
from chained_logging.ship.postgres.columns import _COLUMNS, _differences


def source(database: Database, function: str) -> str:
    return database.sql(f"SELECT pg_get_functiondef('chained_logging.{function}'::regproc)")[0][0]


LIES: dict[str, tuple[str, str]] = {
    "actor_id": ("\"actor_id\":\"user-1\"", "\"actor_id\":\"user-2\""),
    "context": ('"number":3', '"number":7'),
    "result": ("success", "failure"),
    "ip_address": ("10.0.0.1", "10.0.0.9"),
    "ip_address_unknown": ("10.0.0.1", "unknown"),
}  # fmt: skip


def lying(database: Database, old: str, new: str, function: str = "parsed") -> str:
    """Return a function that reads bodies otherwise."""
    text = source(database, function)
    assert "body::pg_catalog.json" in text
    return text.replace("body::pg_catalog.json", f"replace(body, '{old}', '{new}')::json")


@pytest.mark.parametrize("column", LIES)
def test_a_generated_column_is_stored_anew_while_its_function_lies(
    filled: Database, column: str
) -> None:
    function = "whole" if column == "context" else "parsed"
    truth = source(filled, function)
    with Unguarded(filled):
        filled.sql(
            lying(filled, *LIES[column], function),
            "UPDATE chained_logging.entries SET body = body WHERE seq > 0",
            truth,
        )
    assert filled.broken() is None  # bodies and hashes are as they were
    assert f"the column {column} does not say what the body says" in filled.faults()


def test_what_was_shipped_while_a_function_lied_is_named(
    filled: Database, records: list[Record]
) -> None:
    truth = source(filled, "parsed")
    filled.sql(lying(filled, '"action":"forged"', '"action":"read"'))
    filled.shipper.write(ORIGIN, [forged(records[-1])], [])
    filled.sql(truth)
    (fault,) = filled.reader.inspect(ORIGIN)
    assert (fault.seq, fault.field) == (10, "action")
    done = command("verify", filled.server.url(filled.name, "test_reader"))
    assert done.returncode == 1
    assert "the column action does not say what the body says" in done.stdout


def row_of(record: Record, **changes: Any) -> dict[str, Any]:
    """Return a row as the database derives it from an entry."""
    body = json.loads(record.body)
    row = {name: body.get(name) for name in _COLUMNS} | {
        "body": record.body.decode(),
        "timestamp": body["timestamp"].replace("T", " ").removesuffix("Z") + "+00",
        "ip_address_unknown": "f",
        "context": json.dumps(body["context"]),
    }
    return row | changes


HOME = ("entries_default", frozenset({"entries_default"}))


def test_a_row_that_says_what_its_body_says_is_in_no_doubt(records: list[Record]) -> None:
    assert [difference for each in records for difference in _differences(row_of(each), HOME)] == []


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"actor_id": "eve"}, "actor_id"),
        ({"seq": 7}, "seq"),
        ({"timestamp": "2020-01-01 00:00:00+00"}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"ip_address": "10.0.0.2"}, "ip_address"),
        ({"ip_address": None}, "ip_address"),
        ({"ip_address_unknown": "t"}, "ip_address_unknown"),
        ({"context": '{"number": 99}'}, "context"),
        ({"context": None}, "context"),
        ({"resources": "[]"}, "resources"),
        ({"tenant_id": "acme"}, "tenant_id"),
    ],
)
def test_each_column_that_says_something_else_is_named(
    records: list[Record], changes: dict[str, Any], column: str
) -> None:
    ((name, reason),) = _differences(row_of(records[1], **changes), HOME)
    assert name == column
    assert f"the column {column} does not say what the body says" in reason


def test_what_jsonb_cannot_hold_is_in_the_body_alone(records: list[Record]) -> None:
    record = forged(records[-1], note="a\0b")
    assert list(_differences(row_of(record, context=None), HOME)) == []
    assert [name for name, _ in _differences(row_of(record), HOME)] == ["context"]


def test_an_entry_is_in_the_partition_of_its_month(records: list[Record]) -> None:
    row = row_of(records[1])
    month = f"entries_{row['timestamp'][:7].replace('-', '_')}"
    assert list(_differences(row, (month, frozenset({month, "entries_default"})))) == []
    for table in ("entries_2019_01", "entries_default"):
        ((name, reason),) = _differences(row, (table, frozenset({month, table})))
        assert name == "timestamp"
        assert f"is in the partition {table}, where no question finds it" in reason


def test_a_body_that_is_not_json_is_left_to_the_verifier(records: list[Record]) -> None:
    for body in ("", "[]", "{", '{"timestamp":'):
        assert list(_differences(row_of(records[1], body=body), HOME)) == []
