"""PostgreSQL with several hosts, of which one, or the database's owner, is against the others.

A shipper of another host must make nobody believe, wait or lose. A superuser can make anybody wait,
for as long as he goes on; nothing is lost by that, and what he leaves behind is named.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from commands import run
from postgres_logs import (
    ORIGIN,
    Database,
    Unguarded,
    database,
    filled,
    forged,
    insert,
    plain,
    records,
    records_of,
)
from servers_postgres import PASSWORD, running_server

from chained_logging import AuditLog
from chained_logging.errors import DestinationError, Refused
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.keys import PrivateKey
from chained_logging.review.restore import restore
from chained_logging.ship.postgres import PostgresDestination, connection
from chained_logging.sinks import open_sink

__all__ = ["database", "filled", "records"]  # fixtures

BOUND = 15.0
"""Seconds for which nobody keeps another one waiting: the lock timeout, and something for CI."""
MALLORY = "example.com/audit/mallory"
HOSTS = ("one", "two", "three", "four")


@pytest.fixture
def mallory(filled: Database) -> Iterator[PostgresDestination]:
    with contextlib.suppress(psycopg.errors.DuplicateObject):
        filled.sql(
            f"CREATE ROLE mallory LOGIN PASSWORD '{PASSWORD}' IN ROLE chained_logging_shipper"
        )
    filled.sql(f"INSERT INTO chained_logging.shippers VALUES ('mallory', '{MALLORY}')")
    with contextlib.closing(
        PostgresDestination(filled.server.url(filled.name, "mallory"))
    ) as shipper:
        yield shipper


def test_a_login_ships_its_own_logs_alone(
    filled: Database, mallory: PostgresDestination, records: list[Record], tmp_path: Path
) -> None:
    own = records_of(tmp_path, plain(3), MALLORY)
    mallory.write(MALLORY, own, [])
    with pytest.raises(Refused, match=f"login mallory is not bound to the log {ORIGIN}: INSERT"):
        mallory.write(ORIGIN, [forged(records[-1])], [])
    other = "example.com/audit/mallory2"
    with pytest.raises(Refused, match="not bound"):
        mallory.write(other, records_of(tmp_path, plain(1), other), [])
    filled.sql("INSERT INTO chained_logging.shippers VALUES ('mallory', 'example.com/audit/m*')")
    mallory.write(other, records_of(tmp_path, plain(1), other), [])
    assert filled.faults() == ""


def test_a_junk_checkpoint_of_another_log_is_refused(
    filled: Database, mallory: PostgresDestination
) -> None:
    for size in (1, 10):
        junk = StoredCheckpoint(f"{ORIGIN}\n{size}\njunk\n\n— x y\n", size, "{}", None)
        with pytest.raises(Refused, match="not bound"):
            mallory.write(ORIGIN, [], [junk])
    assert list(filled.reader.checkpoints(ORIGIN)) == []


def test_a_shipper_can_neither_make_partitions_nor_bind_itself_nor_lock(
    filled: Database, mallory: PostgresDestination
) -> None:
    for statement in (
        "SELECT chained_logging.add_month(now() + interval '3 years')",
        "SELECT chained_logging.add_months(60)",
        f"INSERT INTO chained_logging.shippers VALUES ('mallory', '{ORIGIN}')",
        "SELECT * FROM chained_logging.shippers",
        "SELECT * FROM chained_logging.heads FOR SHARE",
        *(
            f"BEGIN; LOCK TABLE chained_logging.{table} IN {mode} MODE"
            for table in ("entries", "checkpoints", "shippers")
            for mode in ("ACCESS SHARE", "ROW EXCLUSIVE", "ACCESS EXCLUSIVE")
        ),
        "BEGIN; LOCK TABLE chained_logging.heads IN ROW SHARE MODE",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            filled.sql(statement, user="mallory")


def test_what_a_shipper_may_do_to_itself_makes_no_log_look_weakened(
    filled: Database, mallory: PostgresDestination
) -> None:
    filled.sql("ALTER ROLE mallory SET search_path = nowhere", user="mallory")
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):  # from PostgreSQL 15 on
        filled.sql("GRANT mallory TO postgres", user="mallory")
    url = filled.server.url(filled.name, "mallory")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TYPE pg_temp.mine AS (one int)")
        session.execute("CREATE CAST (pg_temp.mine AS text) WITH INOUT")
        session.execute("CREATE TABLE pg_temp.entries ()")
        session.execute("LISTEN everything")
        try:
            assert filled.faults() == ""
        finally:
            filled.sql("REVOKE mallory FROM postgres")


class Hostile:
    """A session of mallory's that holds on to whatever it can get."""

    def __init__(self, database: Database, records: list[Record]) -> None:
        self.connection = psycopg.connect(database.server.url(database.name, "mallory"))
        self.connection.execute("SET idle_in_transaction_session_timeout = 0")
        self.connection.execute("SET lock_timeout = 0")
        self.connection.execute("COMMIT")
        self._own = records

    def unfinished_transaction(self) -> None:
        self.connection.execute("LOCK TABLE chained_logging.heads IN ACCESS SHARE MODE")
        for record in self._own:
            self.connection.execute(insert(record, origin=MALLORY).encode())

    def unfinished_copy_under(self, origin: str, record: Record) -> None:
        cursor = self.connection.cursor()
        self._copy = cursor.copy(
            'COPY chained_logging.entries (origin, "timestamp", body, hash, signature) FROM STDIN'
        )
        copying = self._copy.__enter__()
        at = record.body.rfind(b',"timestamp":"') + 14
        timestamp = record.body[at : at + 27].decode()
        row = (origin, timestamp, record.body.decode(), record.hash, None)
        with contextlib.suppress(psycopg.Error):
            for _ in range(1200):  # more than the server keeps before it looks at them
                copying.write_row(row)
            time.sleep(0.3)

    def close(self) -> None:
        self.connection.pgconn.finish()


@pytest.mark.parametrize("how", ["transaction", "copy"])
def test_what_a_shipper_leaves_open_keeps_nobody_waiting(
    filled: Database, mallory: PostgresDestination, records: list[Record], tmp_path: Path, how: str
) -> None:
    hostile = Hostile(filled, records_of(tmp_path, plain(3), MALLORY))
    after = forged(records[-1])
    try:
        if how == "copy":
            hostile.unfinished_copy_under(ORIGIN, after)
        else:
            hostile.unfinished_transaction()
        began = time.monotonic()
        filled.shipper.write(ORIGIN, [after], [])
        assert list(filled.reader.records(ORIGIN)) == [*records, after]
        assert filled.faults() == ""
        assert time.monotonic() - began < BOUND
    finally:
        hostile.close()


def test_of_its_own_log_alone_a_shipper_can_keep_another_waiting_and_not_for_long(
    filled: Database, mallory: PostgresDestination, tmp_path: Path
) -> None:
    own = records_of(tmp_path, plain(3), MALLORY)
    hostile = Hostile(filled, own)
    try:
        hostile.unfinished_transaction()
        began = time.monotonic()
        with pytest.raises(DestinationError, match="lock timeout"):
            mallory.write(MALLORY, own, [])
        assert 5 < time.monotonic() - began < 30
    finally:
        hostile.close()
    mallory.write(MALLORY, own, [])


def four_hosts(database: Database, folder: Path) -> dict[str, tuple[str, Path]]:
    """Write a log for each host, and make its login; return the origins and the logs."""
    logs = {}
    for host in HOSTS:
        origin, path = f"example.com/audit/{host}", folder / f"{host}.db"
        with AuditLog(path, origin=origin, key=PrivateKey.generate()) as log:
            log.append_many(plain(120))
        database.sql(
            f"CREATE ROLE ship_{host} LOGIN PASSWORD '{PASSWORD}' IN ROLE chained_logging_shipper",
            f"INSERT INTO chained_logging.shippers VALUES ('ship_{host}', '{origin}')",
        )
        logs[host] = origin, path
    return logs


def test_four_hosts_ship_while_a_fifth_does_all_of_it(tmp_path: Path) -> None:
    with running_server(max_prepared_transactions="4") as server:
        database = Database(server)
        database.sql(
            f"CREATE ROLE mallory LOGIN PASSWORD '{PASSWORD}' IN ROLE chained_logging_shipper",
            f"INSERT INTO chained_logging.shippers VALUES ('mallory', '{MALLORY}')",
        )
        logs = four_hosts(database, tmp_path)
        first = list(open_sink(logs["one"][1]).records())
        hostile = Hostile(database, records_of(tmp_path, plain(3), MALLORY))
        copying = Hostile(database, [])
        copying.unfinished_copy_under(logs["one"][0], first[0])
        hostile.unfinished_transaction()
        hostile.connection.execute("PREPARE TRANSACTION 'stays'")
        hostile.connection.execute("BEGIN")
        hostile.connection.execute("LOCK TABLE chained_logging.heads IN ACCESS SHARE MODE")
        waits: list[float] = []

        def ship(host: str) -> None:
            origin, path = logs[host]
            sink = open_sink(path)
            entries = list(sink.records())
            notes = [stored for _, stored in sink.checkpoints()]
            with contextlib.closing(
                PostgresDestination(server.url(database.name, f"ship_{host}"))
            ) as shipper:
                for at in range(0, len(entries), 50):
                    began = time.monotonic()
                    shipper.write(origin, entries[at : at + 50], [])
                    waits.append(time.monotonic() - began)
                shipper.write(origin, [], notes)

        threads = [threading.Thread(target=ship, args=(host,)) for host in logs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(waits) == 12
        assert max(waits) < BOUND
        reader = server.url(database.name, "test_reader")
        for origin, _ in logs.values():
            assert "INTACT" in run("verify", reader, "--origin", origin)
        hostile.close()
        copying.close()
        database.close()


class Ships(threading.Thread):
    """Ships a log until all of it is there and it is told to stop; after an error it asks again,
    as the shipper does."""

    def __init__(self, url: str, origin: str, path: Path, stop: threading.Event) -> None:
        super().__init__()
        self.url, self.origin, self.told = url, origin, stop
        self.entries = list(open_sink(path).records())
        self.notes = [stored for _, stored in open_sink(path).checkpoints()]
        self.errors: list[str] = []

    def run(self) -> None:
        rest: list[Record] = self.entries
        with contextlib.closing(PostgresDestination(self.url)) as shipper:
            while rest or not self.told.is_set():
                try:
                    at = shipper.head(self.origin).seq + 1
                    rest = self.entries[at : at + 30]
                    shipper.write(self.origin, rest, [] if rest else self.notes)
                except (DestinationError, Refused) as error:  # he may set back what was just asked
                    self.errors.append(str(error))
                time.sleep(0.05)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_four_hosts_ship_while_a_superuser_does_what_he_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection._SETTINGS, "lock_timeout", "300")
    with running_server() as server, contextlib.closing(Database(server)) as database:
        logs, stop = four_hosts(database, tmp_path), threading.Event()
        ships = [
            Ships(server.url(database.name, f"ship_{host}"), *log, stop)
            for host, log in logs.items()
        ]
        for one in ships:
            one.start()

        def all_there() -> bool:
            return all(database.reader.head(origin).seq == 120 for origin, _ in logs.values())

        with psycopg.connect(database.url) as dba:
            dba.execute("LOCK TABLE chained_logging.heads IN ACCESS EXCLUSIVE MODE")
            wait_until(lambda: all("lock timeout" in "".join(one.errors) for one in ships))
            dba.rollback()
            dba.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ '^ship_'"
            )
            dba.commit()
            wait_until(all_there)
            guard = Unguarded(database)
            for statement in (*guard.statements("DISABLE"), *BACKUP):
                dba.execute(statement.encode())
            for statement in guard.statements("ENABLE ALWAYS"):
                dba.execute(statement.encode())
            dba.commit()  # an older state, in which nothing tells
            wait_until(all_there)
            stop.set()
            for one in ships:
                one.join(60)
            reader = server.url(database.name, "test_reader")
            for origin, _ in logs.values():
                assert "INTACT" in run("verify", reader, "--origin", origin)
            done = restore(database.reader, logs["two"][0], tmp_path / "restored.db")
            assert (done.entries, done.problems, done.unsigned) == (121, [], 0)
            # What he leaves behind is named, by a restore too.
            dba.execute("ALTER TABLE chained_logging.entries DISABLE TRIGGER append")
            dba.commit()
        run("verify", reader, "--origin", logs["one"][0], status=1)
        done = restore(database.reader, logs["one"][0], tmp_path / "last.db")
        assert any("entries.append was changed" in problem for problem in done.problems)


BACKUP = (
    "DELETE FROM chained_logging.entries WHERE seq > 50",
    "UPDATE chained_logging.heads AS h SET (seq, hash) = (SELECT seq, hash FROM "
    "chained_logging.entries AS e WHERE e.origin = h.origin ORDER BY seq DESC LIMIT 1)",
)
