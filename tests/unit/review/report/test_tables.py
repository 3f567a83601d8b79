"""The tables of a report count what the entries say."""

from __future__ import annotations

from pathlib import Path

import pytest
from periods import event, write_log

from chained_logging.review.filter import ANY
from chained_logging.review.opening import open_log
from chained_logging.review.report import tables
from chained_logging.review.report.tables import Table

EVENTS = [
    event(1, actor="ann", resource="invoice/1"),
    event(2, actor="ann", resource="invoice/1", result="denied", ip="10.0.0.9"),
    event(3, actor="ann", resource="letter/1", result="failure"),
    event(4, "update", actor="bob", resource="invoice/2", changed_fields=["name", "street"]),
    event(5, "export", actor="bob", resource="letter/1", on_behalf_of="eve"),
    event(6, "login", actor="bob", resource="session/1"),
]


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_log(tmp_path / f"audit.{request.param}", EVENTS)


def rows(path: Path, name: str, *arguments: str) -> list[tuple[object, ...]]:
    with open_log(str(path)) as engine:
        table: Table = getattr(tables, name)(engine, ANY, *arguments)
    assert table.total == len(table.rows)
    assert {len(row) for row in table.rows} <= {len(table.columns)}
    return [tuple(v for v in row if "2024-" not in str(v)) for row in table.rows]


def test_actors(path: Path) -> None:
    assert rows(path, "actors")[:2] == [("ann", "user", 3, 2, 2), ("bob", "user", 3, 3, 0)]


def test_actions(path: Path) -> None:
    assert rows(path, "actions")[0] == ("read", 3, 1, 1, 1, 1, 0)


def test_resources(path: Path) -> None:
    assert rows(path, "resource_types")[:2] == [("invoice", 3, 2, 2, 1), ("letter", 2, 1, 2, 1)]
    assert rows(path, "resources")[0] == ("invoice/1", 2, 1, 1)


def test_failures_and_logins_are_those_of_the_named_questions(path: Path) -> None:
    assert rows(path, "failures") == [
        ("ann", "10.0.0.1", "read", "failure", 1, 1),
        ("ann", "10.0.0.9", "read", "denied", 1, 1),
    ]
    assert rows(path, "logins") == [("bob", "10.0.0.1", "login", "success", 1)]


def test_changes_and_exports(path: Path) -> None:
    assert rows(path, "grouped", "changes", "Changes") == [
        ("bob", "update", "invoice", "success", 1)
    ]
    (found,) = rows(path, "newest", "changes", "Changes", "changed_fields")
    assert found[:5] == (4, "bob", "update", "invoice/2", "success")
    assert "street" in str(found[5])
    assert rows(path, "newest", "exports", "Exports", "ip_address") == [
        (5, "bob", "export", "letter/1", "success", "10.0.0.1")
    ]


def test_who_acted_for_somebody_else(path: Path) -> None:
    assert rows(path, "on_behalf") == [("bob", "user", "eve", 1)]


def test_a_long_table_ends_and_says_how_many_rows_more_there_are(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST", 1)
    with open_log(str(path)) as engine:
        found = [tables.actions(engine, ANY), tables.failures(engine, ANY)]
    assert [(len(table.rows), table.total, table.more) for table in found] == [
        (1, 5, 4),  # one action is the log's own
        (1, 2, 1),
    ]
