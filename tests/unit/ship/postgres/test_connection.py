"""One session of PostgreSQL, in which names mean what PostgreSQL's own catalog says."""

from __future__ import annotations

import contextlib
from urllib.parse import quote

import pytest
from postgres_logs import (
    ORIGIN,
    Database,
    forged,
)
from servers_postgres import (
    PostgresServer,
)

from chained_logging.errors import DestinationError, Refused, Unfit
from chained_logging.format.record import Head, Record
from chained_logging.ship import open_destination
from chained_logging.ship.postgres import PostgresDestination
from chained_logging.ship.postgres.connection import Session


def test_a_server_that_is_down_is_a_passing_failure(database: Database):
    url = database.url.replace(str(database.server.port), "1")
    with contextlib.closing(PostgresDestination(url)) as destination:
        for _ in range(2):
            with pytest.raises(DestinationError, match=r"127\.0\.0\.1"):
                destination.head(ORIGIN)


def test_a_connection_that_was_cut_is_made_again(filled: Database, records: list[Record]):
    filled.shipper.head(ORIGIN)
    filled.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'test%'")
    with pytest.raises(DestinationError):
        filled.shipper.head(ORIGIN)
    assert filled.shipper.head(ORIGIN) == Head(9, records[-1].hash)


def test_what_is_acknowledged_is_on_the_disk_whatever_the_default(
    filled: Database, records: list[Record]
):
    filled.sql("ALTER ROLE test_shipper SET synchronous_commit = off")
    try:
        with contextlib.closing(
            PostgresDestination(filled.server.url(filled.name, "test_shipper"))
        ) as destination:
            destination.write(ORIGIN, [forged(records[-1])], [])
            assert destination.session.rows("SHOW synchronous_commit") == [("on",)]
    finally:
        filled.sql("ALTER ROLE test_shipper RESET synchronous_commit")


def test_no_password_is_ever_shown(postgres_server: PostgresServer, records: list[Record]):
    secret = "s3cr3t%zz"
    shown = []
    for url in (
        f"postgresql://me:{secret}@127.0.0.1:{postgres_server.port}/x",  # a bad escape
        f"postgresql://me@127.0.0.1/x?password={secret}&nonsense=1",
        f"host=127.0.0.1 password={secret}",
        f"mysql://me:{secret}@127.0.0.1/x",
    ):
        with pytest.raises(ValueError, match=r"must be|must begin with|a destination is") as error:
            (open_destination if "mysql" in url else PostgresDestination)(url)
        shown.append(repr(error.value) + str(error.value.__cause__))
    for url in ("postgresql://me:s3cr3t/x@127.0.0.1:1/db", "postgresql://me:9/s3cr3t@127.0.0.1/db"):
        with pytest.raises(ValueError, match="%2F") as error:
            open_destination(url)
        shown.append(repr(error.value))
    wrong = f"postgresql://postgres:{quote(secret)}@127.0.0.1:{postgres_server.port}/postgres"
    destination = open_destination(wrong + "?sslpassword=hush")
    with pytest.raises(DestinationError) as failed:
        destination.head(ORIGIN)
    shown += [str(failed.value), repr(destination), destination.name, str(failed.value.__cause__)]
    assert destination.name == f"postgresql://postgres@127.0.0.1:{postgres_server.port}/postgres"
    for text in shown:
        assert "s3cr3t" not in text
        assert "hush" not in text


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://ann:hush@h:5433/db", "postgresql://ann@h:5433/db"),
        ("postgres://h/db?sslmode=require", "postgresql://h/db"),
        ("postgresql://ann:a%2Fb%40c@h/db", "postgresql://ann@h/db"),
        ("postgresql:///db?host=/run/pg", "postgresql:///db?host=/run/pg"),
    ],
)
def test_a_session_is_named_without_its_secret(url: str, name: str) -> None:
    assert Session(url).name == name


def test_names_mean_what_the_catalog_says_whatever_is_set(filled: Database) -> None:
    filled.sql(
        "CREATE SCHEMA shadow; CREATE FUNCTION shadow.upper(text) RETURNS text LANGUAGE sql "
        "AS $$ SELECT 'shadowed' $$; GRANT USAGE ON SCHEMA shadow TO PUBLIC",
        f"ALTER DATABASE {filled.name} SET search_path = shadow, pg_catalog",
    )
    with contextlib.closing(Session(filled.url)) as session:
        assert session.rows("SELECT upper('a'::text)") == [("A",)]
        assert session.rows("SHOW search_path") == [("pg_catalog, pg_temp",)]
        assert session.rows("SHOW timezone") == [("UTC",)]


def test_what_fails_for_now_is_told_from_what_is_refused(filled: Database) -> None:
    with contextlib.closing(Session(filled.url)) as session:
        for query, error, match in (
            ("SELECT 1/0", Unfit, "division by zero"),
            ("SELECT * FROM chained_logging.nothing", Refused, "run init first"),
            (
                "SELECT pg_terminate_backend(pg_backend_pid())",
                DestinationError,
                "terminating connection",
            ),
            ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", DestinationError, "timeout"),
        ):
            with pytest.raises(error, match=match):
                session.rows(query)
            assert session.rows("SELECT 1") == [(1,)]
    reader = filled.server.url(filled.name, "test_reader")
    with contextlib.closing(Session(reader)) as session, pytest.raises(Refused, match="grant it"):
        session.rows("SELECT * FROM pg_authid")


def test_a_snapshot_sees_one_state_and_writes_nothing(filled: Database) -> None:
    count = b"SELECT count(*) FROM chained_logging.shippers"
    with contextlib.closing(Session(filled.url)) as session:
        with session.snapshot({"work_mem": "'8MB'"}) as connection:
            before = connection.execute(count).fetchone()
            filled.sql(
                "INSERT INTO chained_logging.shippers (login, origin) VALUES ('test_shipper', 'x')"
            )
            assert connection.execute(count).fetchone() == before
            assert connection.execute(b"SHOW work_mem").fetchone() == ("8MB",)
        with pytest.raises(DestinationError), session.snapshot({}) as connection:
            connection.execute(b"DELETE FROM chained_logging.shippers")
