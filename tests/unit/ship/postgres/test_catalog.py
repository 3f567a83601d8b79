"""The catalog of a database, compared with what schema.sql makes of it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import psycopg
import pytest
from postgres_logs import Database
from servers_postgres import (
    PostgresServer,
    running_server,
)

from chained_logging.errors import Refused
from chained_logging.ship.postgres import PostgresDestination, init, setup
from chained_logging.ship.postgres import destination as module
from chained_logging.ship.postgres.catalog import _expected, weakened
from chained_logging.ship.postgres.connection import Session


def test_a_server_that_may_forget_is_named():
    with running_server(fsync="off") as server, pytest.raises(Refused, match="fsync = off"):
        init(server.url())


def test_the_catalog_that_is_compared_with_is_that_of_a_fresh_schema(
    postgres_server: PostgresServer,
):
    """After a change of ``postgres.sql``: ``UPDATE=1 pytest -k catalog_that_is_compared``."""
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE fresh")
    with contextlib.closing(PostgresDestination(postgres_server.url("fresh"))) as fresh:
        setup.create(fresh.session)
        found = {
            key: value
            for key, value in fresh.catalog().items()
            if not re.search("entries_[0-9]{4}_", key)  # months are derived from the default
        }
    lines = "".join(f"{key}\t{value}\n" for key, value in sorted(found.items()))
    file = Path(module.__file__).with_name("catalog.txt")
    if os.environ.get("UPDATE"):
        file.write_text(lines)
    assert file.read_text() == lines


def test_settings_that_only_cost_time_are_nobodys_concern(database: Database) -> None:
    database.sql(
        f"ALTER DATABASE {database.name} SET work_mem = '8MB'",
        f"ALTER DATABASE {database.name} SET log_min_duration_statement = 500",
        "ALTER ROLE test_reader SET statement_timeout = '5min'",
    )
    try:
        assert database.faults() == ""
    finally:
        database.sql("ALTER ROLE test_reader RESET ALL")


def test_each_object_that_is_gone_added_or_changed_is_named(database: Database) -> None:
    with contextlib.closing(Session(database.url)) as session:
        assert weakened(session) == []
        database.sql(
            "ALTER TABLE chained_logging.entries DROP COLUMN reason",
            "CREATE TABLE chained_logging.mine (x int)",
            "ALTER TABLE chained_logging.heads ALTER COLUMN hash DROP NOT NULL",
        )
        reasons = "\n".join(weakened(session))
        assert re.search(r"chained_logging\.entries.*reason.* is gone", reasons)
        assert re.search(r"table chained_logging\.mine was added", reasons)
        assert re.search(r"chained_logging\.heads.*hash.* was changed: it is", reasons)


def test_a_month_is_what_the_default_partition_is_under_its_own_name() -> None:
    key = "table chained_logging.entries_default"
    found = {"table chained_logging.entries_2026_12": "whatever"}
    expected = _expected(found)
    made = expected["table chained_logging.entries_2026_12"]
    bound = "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"
    assert bound in made
    assert made == expected[key].replace("DEFAULT", bound).replace(
        "entries_default", "entries_2026_12"
    )
    assert len(expected) > len(_expected({}))


def test_a_database_without_the_schema_is_one_sentence(postgres_server: PostgresServer) -> None:
    with contextlib.closing(Session(postgres_server.url())) as session:
        assert weakened(session) == ["the schema chained_logging is gone, or was not made"]
