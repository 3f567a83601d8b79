"""How fast a log is asked: filters that find at most 1,000 of 1,000,000 entries, and questions.

    python -m pip install -e '.[dev]' && python benchmarks/query.py [FOLDER] [--count 1000000]

FOLDER needs 3 GB. PostgreSQL, of which a server is started, needs as much memory. A database is
asked as it is, each question once. Then the indexes of a JSON Lines log and of the database are
made, each log is asked through its open index, and a report on all of it is written.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from table import Table, run

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
import psycopg
from servers_postgres import running_server

from chained_logging import AuditLog
from chained_logging.review.export import export_log
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine
from chained_logging.review.questions import NAMES
from chained_logging.ship.postgres import PostgresDestination, init
from chained_logging.sinks import open_sink

ORIGIN = "example.com/audit/web"
_ACTORS = 5_000
_TARGET = 100.0  # ms


def events(count: int) -> Iterator[dict[str, Any]]:
    """Yield events of 13 fields, about 620 bytes each. Rare values are in about one of 1,000."""
    for i in range(count):
        yield {
            "action": ("read", "read", "read", "write", "login")[(i + i // _ACTORS) % 5]
            if i % 2000
            else "export",
            "actor": f"user-{i * 7919 % _ACTORS}",
            "resource": ("patient_record", str(i * 104_729 % (count // 10 + 1))),
            "ip": f"10.{i % 7}.{i % 251}.{i % 241}",
            "session_id": f"s-{i // 50}",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64)" if i % 3000 else "curl/8.5",
            "result": "success" if i % 1500 else "denied",
            "tenant": f"t-{i % 20}" if i % 1200 else "rare",
            "on_behalf_of": None if i % 1100 else "boss",
            "changed_fields": None if i % 1700 else ["diagnosis"],
            "reason": None if i % 1300 else f"appeal number {i}",
            "trace_id": f"{i // 3 + 1:032x}",
            "duration_ms": i % 997,
        }


def fill(path: Path, count: int) -> None:
    rest = events(count - 1)
    with AuditLog(path, origin=ORIGIN) as log:
        while batch := list(itertools.islice(rest, 1000)):
            log.append_many(batch)


def filters(engine: Engine) -> dict[str, Filter]:
    """Return filters that find at most 1,000 entries, by their names."""
    middle = engine.entries(ANY, limit=1).entries[0].seq // 2
    (entry,) = engine.entries(Filter(first_seq=middle, last_seq=middle)).entries
    later = engine.entries(Filter(first_seq=middle + 900, last_seq=middle + 900)).entries[0]
    texts = {
        "actor": f"actor={entry.actor_id}",
        "action": "action=export",
        "resource": f"resource=patient_record/{entry.resource_id}",
        "resource by its id alone": f"resource={entry.resource_id}",
        "result": "result=denied",
        "ip": f"ip={entry.ip_address}",
        "session": f"session={entry.session_id}",
        "tenant": "tenant=rare",
        "trace_id": f"trace_id={entry.trace_id}",
        "id": f"id={entry.id}",
        "on_behalf_of": "on_behalf_of=boss",
        "user_agent": "user_agent=curl/8.5",
        "changed": "changed=diagnosis",
        "text": "text=appeal",
        "text, two words": f"text=appeal%20{1300 * (middle // 1300)}",
        "since and until": f"since={entry.timestamp}&until={later.timestamp}",
        "seq": f"seq={middle}-{middle + 900}",
        "actor and action": f"actor={entry.actor_id}&action=read",
        "action, result and tenant": "action=read&result=denied&tenant=t-0",
        "action and time": f"action=read&since={entry.timestamp}&until={later.timestamp}",
        "nothing": "actor=nobody&action=read",
    }
    return {name: Filter.parse(text) for name, text in texts.items()}


def milliseconds(call: Callable[[], Any], calls: int = 5) -> tuple[float, Any]:
    """Return the median time of some calls, and what the last one returned."""
    times, found = [], None
    for _ in range(calls):
        began = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000, found


def ask(table: Table, engine: Engine, calls: int = 5) -> None:
    worst = 0.0
    for name, wanted in filters(engine).items():
        taken, count = milliseconds(functools.partial(engine.count, wanted), calls)
        assert count <= 1000, (name, count)
        page, _ = milliseconds(functools.partial(engine.entries, wanted, limit=50), calls)
        worst = max(worst, taken, page)
        table.line(name, taken, "ms", f"{count:,} entries", f"first 50: {page:.1f} ms")
    table.line("the slowest", worst, "ms", f"target {_TARGET:.0f}")
    table.line("first 50 of all", milliseconds(lambda: engine.entries(ANY, limit=50))[0], "ms")
    common = Filter(action=("read",))
    table.line("first 50 of most", milliseconds(lambda: engine.entries(common, limit=50))[0], "ms")
    for name in NAMES:
        asked = Filter(actor=("user-1",)) if name == "actor-activity" else ANY
        asked = Filter(resource=("patient_record/7",)) if name == "resource-access" else asked
        began = time.perf_counter()
        rows = len(engine.ask(name, asked).rows)
        table.line(name, (time.perf_counter() - began) * 1000, "ms", f"{rows:,} rows")
    table.line("histogram of all", milliseconds(engine.histogram, calls)[0], "ms")
    table.line("facets of all", milliseconds(engine.facets, calls)[0], "ms")


def local(table: Table, path: Path, count: int) -> None:
    table.head(f"{path.suffix[1:]}, {count:,} entries, {path.stat().st_size / 1e6:,.0f} MB")
    index = path.with_name(f"{path.name}.index")
    index.unlink(missing_ok=True)
    if path.suffix == ".db":
        with open_log(str(path)) as engine:
            ask(table, engine, calls=1)
        table.head(f"{path.suffix[1:]}, through an index")
    began = time.perf_counter()
    engine = open_log(str(path), indexed=True)
    taken = time.perf_counter() - began
    table.line("making the index", taken, "s", f"{count / taken:,.0f} entries/s")
    table.line("its size", index.stat().st_size / 1e6, "MB")
    with engine:
        ask(table, engine)
    again, _ = milliseconds(lambda: open_log(str(path), indexed=True).close())
    table.line("opening it again", again, "ms")
    report(table, path)


def report(table: Table, path: Path) -> None:
    """Measure the report on all of a log whose index is made."""
    target = path.with_name("report.html")
    target.unlink(missing_ok=True)
    period = ("--from=2000-01-01Z", "--standard=soc2")
    command = (sys.executable, "-m", "chained_logging", "report", str(path), "-o", str(target))
    taken, peak = run(*command, *period)
    table.line("a report on all of it", taken, "s", f"{peak:,.0f} MiB", "target 60 s, 500 MiB")


@contextlib.contextmanager
def shipped(log: Path) -> Iterator[str]:
    """Start PostgreSQL, ship a log to it, and yield its URL."""
    with running_server(shared_buffers="256MB") as server:
        init(server.url())
        shipper = PostgresDestination(server.url())
        records = open_sink(log).records()
        while batch := list(itertools.islice(records, shipper.batch_entries)):
            shipper.write(ORIGIN, batch, [])
        shipper.close()
        with psycopg.connect(server.url(), autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE chained_logging.entries")
        yield server.url()


def postgres(table: Table, log: Path, count: int) -> None:
    began = time.perf_counter()
    with shipped(log) as url:
        taken = time.perf_counter() - began
        table.head(f"PostgreSQL, {count:,} entries")
        table.line("shipping them", taken, "s", f"{count / taken:,.0f} entries/s")
        with open_log(url) as engine:
            ask(table, engine)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast a log is asked.")
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["jsonl", "db", "postgres"])
    options = parser.parse_args()
    table = Table()
    log = options.folder / "query.jsonl"
    if not log.exists():
        fill(log, options.count)
    if options.only in (None, "jsonl"):
        local(table, log, options.count)
    if options.only in (None, "db"):
        database = log.with_suffix(".db")
        if not database.exists():
            export_log(log, database)
        local(table, database, options.count)
    if options.only in (None, "postgres"):
        postgres(table, log, options.count)


if __name__ == "__main__":
    main()
