"""SQL over a log's own database counts what the filter says, by the indexes that are there."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

import pytest
from asked_logs import FILTERS_OF_ANY, engine

from chained_logging.review import database_sql
from chained_logging.review.filter import Filter
from chained_logging.review.query import Engine
from chained_logging.sinks.sqlite import schema_statements

__all__ = ["engine"]

COLUMNS = ("actor_id", "action", "resource_type", "result", "tenant_id")


@pytest.mark.parametrize("text", FILTERS_OF_ANY)
def test_what_is_counted_is_what_is_found(engine: Engine, text: str) -> None:
    wanted = Filter.parse(text)
    found = [entry.fields for entry in engine.every() if wanted.matches(entry)]
    times = [fields["timestamp"] for fields in found]
    assert engine.scope(wanted) == (
        len(found),
        min(times, default=None),
        max(times, default=None),
    )
    days: dict[str, Counter[str]] = {}
    for fields in found:
        days.setdefault(fields["timestamp"][:10], Counter())[fields["result"]] += 1
    assert engine.histogram(wanted) == days
    facets = engine.facets(wanted, columns=COLUMNS)
    for column in COLUMNS:
        counted = Counter(fields[column] for fields in found if column in fields)
        assert dict(facets[column]) == counted, column


def plan(sql: str, values: dict[str, Any]) -> str:
    """Return how SQLite would answer a query of a log."""
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in schema_statements():
            database.execute(statement)
        return " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("actor=ann&actor=bob", "entries_actor_id"),
        ("action=read&result=denied", "entries_action"),
        ("since=1h", "entries_timestamp"),
    ],
)
def test_entries_that_may_fit_are_found_by_an_index(text: str, index: str) -> None:
    values: dict[str, Any] = {}
    wanted = Filter.parse(text)
    list(database_sql.conditions(wanted, values))
    (by,) = database_sql.drivers(wanted, values)
    assert index in plan(by, values)


@pytest.mark.parametrize(
    ("text", "reads", "index"),
    [
        ("", ("timestamp",), "INDEX entries_timestamp"),
        ("actor=ann", (), "INDEX entries_actor_id"),
        ("until=1h", ("timestamp",), "INDEX entries_timestamp"),
    ],
)
def test_what_one_index_holds_is_read_from_it_alone(
    text: str, reads: tuple[str, ...], index: str
) -> None:
    values: dict[str, Any] = {}
    wanted = Filter.parse(text)
    list(database_sql.conditions(wanted, values))
    whole = database_sql.covered(wanted, reads)
    assert whole is not None
    columns = ", ".join(reads) or "count(*)"
    assert index in plan(f"WITH found AS ({whole}) SELECT {columns} FROM found", values)


@pytest.mark.parametrize(
    ("text", "reads"),
    [("result=denied", ()), ("", ("result",)), ("actor=ann", ("action",)), ("actor=ann", None)],
)
def test_what_no_index_holds_is_not(text: str, reads: tuple[str, ...] | None) -> None:
    assert database_sql.covered(Filter.parse(text), reads) is None


def test_no_value_is_a_part_of_the_text() -> None:
    evil = "'; DROP TABLE entries --\""
    wanted = Filter(
        actor=(evil,), resource=(evil,), text=(evil,), changed=(evil,), since=evil, until=evil
    )
    values: dict[str, Any] = {}
    where = [*database_sql.traces(wanted, values), *database_sql.conditions(wanted, values)]
    assert "DROP" not in database_sql.selected([*where, *database_sql.drivers(wanted, values)])
    assert evil in values.values()
