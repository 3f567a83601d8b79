"""What the tests of PostgreSQL share: a database, and entries to bring there."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chains import EVENT
from servers_postgres import (
    PASSWORD,
    PostgresServer,
)

from chained_logging import AuditLog
from chained_logging.errors import ChainedLoggingError
from chained_logging.event.draft import draft
from chained_logging.format.line import GENESIS, leaf_hash, position
from chained_logging.format.record import EMPTY, Record
from chained_logging.review.restore import restore
from chained_logging.ship.postgres import PostgresDestination, init
from chained_logging.sinks import open_sink

ORIGIN = "example.com/audit/web"
_names = itertools.count()
_TEMPLATE = "audit_template"


@functools.cache
def _prepared(server: PostgresServer) -> list[str]:
    """Make the database that all others are copies of, and return what `init` said."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
    done = init(server.url(_TEMPLATE))
    with psycopg.connect(server.url(_TEMPLATE), autocommit=True) as owner:
        for role in ("shipper", "reader", "retention"):
            owner.execute(
                f"CREATE ROLE test_{role} LOGIN PASSWORD '{PASSWORD}' "
                f"IN ROLE chained_logging_{role}".encode()
            )
        owner.execute(
            "INSERT INTO chained_logging.shippers (login, origin) VALUES ('test_shipper', '*')"
        )
    return done


class Database:
    """A database with the schema in it, and its four kinds of people."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = f"audit_{next(_names)}"
        self.url = server.url(self.name)
        self.done = _prepared(server)
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {self.name} TEMPLATE {_TEMPLATE}".encode())
        init(self.url)  # a database's own settings and rights are not copied
        self.shipper = PostgresDestination(server.url(self.name, "test_shipper"))
        self.reader = PostgresDestination(server.url(self.name, "test_reader"))
        self.retention = PostgresDestination(server.url(self.name, "test_retention"))

    def sql(self, *statements: str, user: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements as somebody, each a transaction, and return what the last one returned."""
        with psycopg.connect(self.server.url(self.name, user), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def faults(self, origin: str = ORIGIN) -> str:
        """Return what the reader's inspection says, a line each."""
        return "\n".join(fault.reason for fault in self.reader.inspect(origin))

    def broken(self) -> str | None:
        """Return the first break of the chain as it stands there, as a verifier finds it."""
        seq, prev = EMPTY
        for record in self.reader.records(ORIGIN):
            place = position(record.body)
            if place != (seq + 1, prev) or leaf_hash(record.body) != record.hash:
                return f"broken at {seq + 1}"
            seq, prev = place[0], record.hash
        return None

    def restored(self, target: Path, reader: PostgresDestination | None = None) -> str:
        """Return what a restore says is wrong, a line each; or why it refuses."""
        try:
            done = restore(reader or self.reader, ORIGIN, target)
        except (ChainedLoggingError, OSError, ValueError) as refusal:
            assert not list(target.parent.glob(f"{target.name}*"))
            return f"refused: {refusal}"
        return "\n".join(done.problems)

    def close(self) -> None:
        self.shipper.close()
        self.reader.close()
        self.retention.close()


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    made = Database(postgres_server)
    yield made
    made.close()


def records_of(
    tmp_path: Path, events: Sequence[dict[str, Any]], origin: str = ORIGIN, **options: Any
) -> list[Record]:
    """Return what a log of these events holds, the genesis entry first."""
    path = tmp_path / f"{next(_names)}.jsonl"
    with AuditLog(path, origin=origin, **options) as log:
        log.append_many(events)
    return list(open_sink(path).records())


def plain(count: int) -> list[dict[str, Any]]:
    return [{"action": "read", **EVENT, "number": number} for number in range(count)]


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Ten entries of a log."""
    return records_of(tmp_path, plain(9))


@pytest.fixture
def filled(database: Database, records: list[Record]) -> Database:
    """A database with those in it."""
    database.shipper.write(ORIGIN, records, [])
    return database


def forged(after: Record | None, **fields: Any) -> Record:
    """Return an entry that anybody could compute, chained to another."""
    seq, prev = (after.seq + 1, after.hash) if after else (0, GENESIS)
    body = draft({"action": "forged", **EVENT, **fields}).body(seq, prev)
    return Record(seq, body, leaf_hash(body))


def insert(record: Record, table: str = "entries", *, origin: str = ORIGIN, **change: str) -> str:
    """Return the statement that inserts a record by hand."""
    body = record.body.decode().replace("'", "''")
    values = {
        "origin": origin,
        "timestamp": json.loads(record.body)["timestamp"],
        "body": body,
        "hash": record.hash,
    } | change
    return (
        f'INSERT INTO chained_logging.{table} (origin, "timestamp", body, hash) VALUES '
        f"('{values['origin']}', '{values['timestamp']}', '{values['body']}', '{values['hash']}')"
    )


class Unguarded:
    """While the block lasts no trigger of the schema works, and afterwards each as before."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._triggers = database.sql(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal "
            "AND tgenabled = 'A'"
        )

    def __enter__(self) -> None:
        self._alter("DISABLE")

    def __exit__(self, *unused: object) -> None:
        self._alter("ENABLE ALWAYS")

    def _alter(self, how: str) -> None:
        self._database.sql(*self.statements(how))

    def statements(self, how: str) -> list[str]:
        return [f"ALTER TABLE {table} {how} TRIGGER {name}" for table, name in self._triggers]
