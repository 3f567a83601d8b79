"""PostgreSQL as central storage: what its checks cost, and how fast it answers.

    python -m pip install -e '.[dev]' && python benchmarks/postgres.py [ROWS] [--questions]

Starts a server of its own, with PostgreSQL's defaults. The same rows go into two databases, batch
by batch in turn: through the shipper's ``write()``, and by a bare ``COPY`` into the same table with
its triggers dropped, its columns, constraints and indexes kept. Then the three ordinary questions
are asked of what stands there. With ``--questions`` only they are: two processes fill the second
database, so that ten million rows take minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
from servers_postgres import PostgresServer, running_server

from chained_logging import AuditLog
from chained_logging.format.record import Record
from chained_logging.ship.postgres import PostgresDestination, init
from chained_logging.sinks import open_sink

ORIGIN = "example.com/audit/web"
DAYS = 90
COPY = 'COPY chained_logging.entries (origin, "timestamp", body, hash) FROM STDIN'
QUESTIONS = {
    "all actions of an actor in 30 days": "actions_of('user-7')",
    "all access to one record": "access_to('patient_record', '42')",
    "actors with more than 5 failed or denied attempts in 24 hours": "refused_attempts()",
}


def records(rows: int, folder: Path, origin: str = ORIGIN) -> Iterator[Record]:
    """Make a log of entries of 13 fields, about 570 bytes, over 90 days."""
    rng = random.Random(origin)
    began = time.time() - DAYS * 86_400

    def event(i: int) -> dict[str, object]:
        return {
            "action": rng.choice(("read", "read", "write", "login", "export")),
            "resource": ("patient_record", str(rng.randrange(max(1, rows // 10)))),
            "actor": f"user-{rng.randrange(2000)}",
            "ip": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
            "session_id": "s-77aa",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "result": rng.choices(("success", "failure", "denied"), (97, 2, 1))[0],
            "timestamp": began + DAYS * 86_400 * i / rows,
            "duration_ms": 12,
            "http_status": 200,
            "request_id": "0190a1b2c3d4",
        }

    with AuditLog(folder / "audit.jsonl", origin=origin) as log:
        for start in range(0, rows - 1, 1000):
            log.append_many(event(i) for i in range(start, min(start + 1000, rows - 1)))
    return open_sink(folder / "audit.jsonl").records()


def bare(connection: psycopg.Connection, batch: list[Record], origin: str = ORIGIN) -> None:
    with connection.transaction(), connection.cursor().copy(COPY) as copy:
        for record in batch:
            at = record.body.rfind(b',"timestamp":"') + 14
            timestamp = record.body[at : at + 27].decode()
            copy.write_row((origin, timestamp, record.body.decode(), record.hash))


def without_triggers(server: PostgresServer) -> psycopg.Connection:
    """Return a connection to another database with the same table and months."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE bare")
    init(server.url("bare"))
    connection = psycopg.connect(server.url("bare"), autocommit=True)
    for days in range(0, DAYS + 32, 28):
        connection.execute("SELECT chained_logging.add_month(now() - %s * interval '1d')", (days,))
    connection.execute("SELECT chained_logging.add_month(now() - %s * interval '1d')", (DAYS,))
    tables = connection.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger "
        "WHERE tgname = 'append' AND tgfoid = 'chained_logging.append'::regproc"
    ).fetchall()
    for (table,) in tables:
        for trigger in ("append", "append_only", "bound"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}".encode())
    return connection


def fill(url: str, rows: int, origin: str) -> None:
    """Fill a database whose triggers were dropped with a log of its own."""
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(url, autocommit=True) as into:
        into.execute("SET synchronous_commit = off")
        source = records(rows, Path(folder), origin)
        while batch := list(itertools.islice(source, PostgresDestination.batch_entries)):
            bare(into, batch, origin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rows", nargs="?", type=int, default=200_000)
    parser.add_argument("--plans", action="store_true", help="print EXPLAIN ANALYZE as well")
    parser.add_argument("--questions", action="store_true", help="fill quickly, and only ask")
    options = parser.parse_args()
    if options.questions:
        with running_server() as server, without_triggers(server), ProcessPoolExecutor(2) as pool:
            half, began = options.rows // 2, time.monotonic()
            list(pool.map(fill, [server.url("bare")] * 2, [half] * 2, ["example/1", "example/2"]))
            print(f"| {2 * half:,} entries | filled in {time.monotonic() - began:,.0f} s |")
            print("|---|---|")
            ask(server.url("bare"), options.plans)
        return
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        init(server.url())
        with (
            contextlib.closing(PostgresDestination(server.url())) as shipper,
            without_triggers(server) as connection,
        ):
            source = records(options.rows, Path(folder))
            shipped = copied = 0.0
            while batch := list(itertools.islice(source, shipper.batch_entries)):
                begin = time.perf_counter()
                shipper.write(ORIGIN, batch, [])
                middle = time.perf_counter()
                bare(connection, batch)
                shipped += middle - begin
                copied += time.perf_counter() - middle
            assert shipper.inspect(ORIGIN) == []
            begin = time.perf_counter()
            assert sum(1 for _ in shipper.records(ORIGIN)) == options.rows
            reading = time.perf_counter() - begin
        print(f"| {options.rows:,} entries, batches of {PostgresDestination.batch_entries:,} | |")
        print("|---|---|")
        print(f"| bare COPY, without triggers | {options.rows / copied:,.0f} a second |")
        print(f"| write() | {options.rows / shipped:,.0f} a second |")
        print(f"| ratio (target 0.5) | {copied / shipped:.2f} |")
        print(f"| records() | {options.rows / reading:,.0f} a second |")
        ask(server.url(), options.plans)


def ask(url: str, plans: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE chained_logging.entries")
        size = connection.execute(
            "SELECT sum(pg_total_relation_size(relid)) / sum(pg_stat_get_live_tuples(relid)) "
            "FROM pg_partition_tree('chained_logging.entries') WHERE isleaf"
        ).fetchone()
        assert size is not None
        print(f"| on the disk, with indexes | {size[0]:,.0f} bytes an entry |")
        explained = []
        for title, question in QUESTIONS.items():
            query = f"SELECT * FROM chained_logging.{question}"
            times = []
            for _ in range(5):
                begin = time.perf_counter()
                count = len(connection.execute(query.encode()).fetchall())
                times.append(time.perf_counter() - begin)
            plan = [
                line
                for (line,) in connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {query}".encode())
            ]
            indexes = sorted(
                {line.split(" using ")[-1].split()[0] for line in plan if " using entries_" in line}
                | {line.split(" on ")[-1].split()[0] for line in plan if "Bitmap Index" in line}
            )
            print(
                f"| {title} | {sorted(times)[2] * 1000:.1f} ms, {count:,} rows, "
                f"{len(indexes)} indexes ({indexes[0]} …) |"
            )
            explained += ["", query, *plan]
        if plans:
            print("\n".join(explained))


if __name__ == "__main__":
    main()
