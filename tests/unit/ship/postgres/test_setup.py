"""How a database is prepared."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from postgres_logs import (
    ORIGIN,
    Database,
)
from servers_postgres import (
    PASSWORD,
    PostgresServer,
    running_server,
)

from chained_logging.errors import Refused
from chained_logging.format.record import Record
from chained_logging.ship.postgres import PostgresDestination, init, statements


def test_init_says_what_it_did_and_can_be_repeated(database: Database):
    assert "Made the schema" in database.done[0]
    again = init(database.url, retention="hipaa")
    assert "is there already" in again[0]
    assert "2192 days" in again[1]
    with pytest.raises(ValueError, match="a retention must be"):
        init(database.url, retention="forever")


def test_the_printed_statements_are_what_init_runs(postgres_server: PostgresServer, tmp_path):
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE by_hand")
    file = postgres_server.folder / "statements.sql"
    file.write_text(statements())
    postgres_server.run(
        "psql", "-h", "127.0.0.1", "-p", str(postgres_server.port), "-U", "postgres",
        "-v", "ON_ERROR_STOP=1", "-q", "-f", str(file), "by_hand",
    )  # fmt: skip
    with contextlib.closing(PostgresDestination(postgres_server.url("by_hand"))) as made:
        assert made.inspect(ORIGIN) == []


def test_a_role_that_may_create_roles_is_enough():
    with running_server() as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(f"CREATE ROLE boss LOGIN CREATEROLE PASSWORD '{PASSWORD}'".encode())
            admin.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'".encode())
            admin.execute("CREATE DATABASE managed OWNER boss")
        with pytest.raises(Refused, match="have a DBA run what init --print prints"):
            init(server.url("managed", "guest"))
        init(server.url("managed", "boss"))
        with (
            psycopg.connect(server.url("managed", "boss"), autocommit=True) as boss,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            boss.execute("ALTER TABLE chained_logging.entries DISABLE TRIGGER ALL")


def test_an_encoding_that_cannot_hold_entries_is_refused(postgres_server: PostgresServer):
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(Refused, match="encoding LATIN1"):
        init(postgres_server.url("latin"))


def test_without_init_a_sentence_says_so(postgres_server: PostgresServer, records: list[Record]):
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE bare")
    with contextlib.closing(PostgresDestination(postgres_server.url("bare"))) as destination:
        for ask in (
            lambda: destination.head(ORIGIN),
            lambda: destination.write(ORIGIN, records, []),
            lambda: list(destination.records(ORIGIN)),
        ):
            with pytest.raises(Refused, match="run init first"):
                ask()
        (fault,) = destination.inspect(ORIGIN)
        assert "gone, or was not made" in fault.reason
