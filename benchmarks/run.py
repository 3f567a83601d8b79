"""All figures, in one table, with ratios measured in this run.

    python -m pip install -e '.[dev,bench]' && python benchmarks/run.py [--quick] [FOLDER]

FOLDER is on the disk to be measured (by default the current one; on a tmpfs a sync costs
nothing). Each call is timed alone, rounds of the contestants alternate, and what is shown is the
median round: machines are noisy, ratios less so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import real
import structlog
from table import Table, run

from chained_logging import AuditHandler, AuditLog, AuditProcessor, verify

VERIFY = str(sys.modules[verify.__module__].__file__)
Call = Callable[[int], object]


def fields(i: int) -> dict[str, Any]:
    """Return an event of 13 fields once stored, about 570 bytes."""
    return {
        "resource": f"patient_record/{i}",
        "actor": "user-123",
        "ip": "10.0.0.1",
        "session_id": "s-77aa",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "duration_ms": 12,
        "http_status": 200,
        "request_id": "0190a1b2c3d4",
    }


# --- Who is measured. Each opens in a folder and gives one call; closing is by the exit stack.


def structlog_call(
    folder: Path, close: contextlib.ExitStack, *audit: Any, tag: bool = True
) -> Call:
    """Structlog as its performance guide has it, to a plain file."""
    file = close.enter_context((folder / "plain.jsonl").open("ab"))
    logger = real.structlog_to(
        file,
        *audit,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    if not tag:
        return lambda i: logger.info("read", **fields(i))
    return lambda i: logger.info("read", audit=True, **fields(i))


def structlog_audited(folder: Path, close: contextlib.ExitStack) -> Call:
    log = close.enter_context(AuditLog(folder / "audit.jsonl"))
    return structlog_call(folder, close, AuditProcessor(log))


def structlog_untagged(folder: Path, close: contextlib.ExitStack) -> Call:
    log = close.enter_context(AuditLog(folder / "audit.jsonl"))
    return structlog_call(folder, close, AuditProcessor(log), tag=False)


def structlog_untagged_bare(folder: Path, close: contextlib.ExitStack) -> Call:
    return structlog_call(folder, close, tag=False)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({"t": record.created, "m": record.msg, "l": record.levelname, **record.f})


def stdlib(folder: Path, close: contextlib.ExitStack) -> Call:
    handler = logging.FileHandler(folder / "plain.jsonl")
    handler.setFormatter(JsonFormatter())
    close.callback(handler.close)
    logger = logging.Logger("bench")
    logger.addHandler(handler)
    return lambda i: logger.info("read", extra={"f": fields(i)})


def stdlib_audited(folder: Path, close: contextlib.ExitStack) -> Call:
    handler = AuditHandler(folder / "audit.jsonl")
    close.callback(handler.close)
    logger = logging.Logger("bench")
    logger.addHandler(handler)
    return lambda i: logger.info("read", extra={"audit": True, **fields(i)})


def ours(suffix: str, **options: Any) -> Callable[[Path, contextlib.ExitStack], Call]:
    def start(folder: Path, close: contextlib.ExitStack) -> Call:
        log = close.enter_context(AuditLog(folder / f"audit.{suffix}", **options))
        return lambda i: log.append("read", **fields(i))

    return start


def insert(synchronous: str) -> Callable[[Path, contextlib.ExitStack], Call]:
    def start(folder: Path, close: contextlib.ExitStack) -> Call:
        db = sqlite3.connect(folder / "plain.db", isolation_level=None)
        close.callback(db.close)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY, body TEXT)")
        return lambda i: db.execute("INSERT INTO t (body) VALUES (?)", (json.dumps(fields(i)),))

    return start


def rust(fsync: bool) -> Callable[[Path, contextlib.ExitStack], Call]:
    def start(folder: Path, close: contextlib.ExitStack) -> Call:
        import rust_py_audit

        log = rust_py_audit.AuditLogger("bench", str(folder / "rust.jsonl"), fsync=fsync)

        def call(i: int) -> None:
            event = fields(i)
            kind, _, name = event.pop("resource").partition("/")
            log.log(event.pop("actor"), "read", resource=kind, resource_id=name, metadata=event)

        return call

    return start


def auditchain(backend: str) -> Callable[[Path, contextlib.ExitStack], Call]:
    def start(folder: Path, close: contextlib.ExitStack) -> Call:
        import auditchain as peer

        store = getattr(peer, backend)(folder / f"peer.{backend}")
        log = peer.SyncAuditLog(store)
        close.callback(log.close)

        def call(i: int) -> None:
            event = fields(i)
            log.append(event.pop("actor"), "read", event.pop("resource"), metadata=event)

        return call

    return start


CALLERS: dict[str, tuple[int, Callable[[Path, contextlib.ExitStack], Call]]] = {
    "structlog + orjson to a file": (4000, structlog_call),
    "  the same call, also audited": (4000, structlog_audited),
    "structlog, no audit=True": (8000, structlog_untagged_bare),
    "  the same, past AuditProcessor": (8000, structlog_untagged),
    "stdlib FileHandler, JSON": (4000, stdlib),
    "AuditHandler": (4000, stdlib_audited),
    "append, JSON Lines, os": (4000, ours("jsonl")),
    "append, SQLite, os": (2000, ours("db")),
    "append, JSON Lines, fsync": (500, ours("jsonl", durability="fsync")),
    "append, SQLite, fsync": (500, ours("db", durability="fsync")),
    "sqlite3 INSERT, NORMAL": (2000, insert("NORMAL")),
    "sqlite3 INSERT, FULL": (500, insert("FULL")),
    "rust-py-audit": (4000, rust(False)),
    "rust-py-audit, fsync": (500, rust(True)),
    "auditchain, JSON Lines": (200, auditchain("JsonlBackend")),
    "auditchain, SQLite": (200, auditchain("SqliteBackend")),
}


def one_caller(table: Table, root: Path, rounds: int) -> None:
    """Latency of a call, and bytes an entry; contestants take turns."""
    table.head("One thread, a call                              median µs              p99, ratios")
    times: dict[str, list[list[int]]] = {}
    sizes: dict[str, float] = {}
    with contextlib.ExitStack() as close:
        calls: dict[str, Call] = {}
        for name, (_, start) in CALLERS.items():
            folder = root / f"call-{len(calls)}"
            folder.mkdir(exist_ok=True)  # of one that is not installed
            try:
                calls[name] = start(folder, close)
            except ImportError as error:
                print(f"{name:<44} not installed: {error.name}")
        clock = time.perf_counter_ns
        for round in range(rounds + 1):
            for name, call in calls.items():
                took = []
                for i in range(CALLERS[name][0]):
                    began = clock()
                    call(i)
                    took.append(clock() - began)
                if round:  # the first warms up
                    times.setdefault(name, []).append(took)
        for number, name in enumerate(calls):
            count = CALLERS[name][0] * (rounds + 1)
            files = [f for f in (root / f"call-{number}").iterdir() if f.suffix != ".lock"]
            stored = [f for f in files if not f.name.startswith("plain.") or "audit" not in name]
            sizes[name] = sum(f.stat().st_size for f in stored if "-wal" not in f.name) / count
    medians = {
        n: statistics.median(statistics.median(r) for r in t) / 1000 for n, t in times.items()
    }
    p99s = {
        n: statistics.median(statistics.quantiles(r, n=100)[98] for r in t) / 1000
        for n, t in times.items()
    }
    base = "structlog + orjson to a file"
    for name, median in medians.items():
        notes = [f"p99 {p99s[name]:,.0f}", f"{median / medians[base]:.2f} x structlog"]
        if name.startswith(("append", "Audit", "rust", "auditchain")):
            notes.append(f"{sizes[name]:.0f} bytes an entry")
        table.line(name, median, "µs", *notes)
    added = medians["  the same call, also audited"] - medians[base]
    p99 = p99s["  the same call, also audited"] / p99s[base]
    table.line(
        "added by auditing it",
        added,
        "µs",
        f"{added / medians[base]:.2f} x the call itself",
        f"p99 {p99:.2f} x",
    )
    past = medians["  the same, past AuditProcessor"] / medians["structlog, no audit=True"] - 1
    table.line("added to a call without audit=True", past * 100, "%")
    if "rust-py-audit" in medians:
        table.line(
            "append, JSON Lines, os / rust-py-audit",
            table.ratio("append, JSON Lines, os", "rust-py-audit"),
            "x",
        )
        table.line(
            "append, fsync / rust-py-audit, fsync",
            table.ratio("append, JSON Lines, fsync", "rust-py-audit, fsync"),
            "x",
        )
    table.line(
        "append, SQLite, os / sqlite3 INSERT, NORMAL",
        table.ratio("append, SQLite, os", "sqlite3 INSERT, NORMAL"),
        "x",
    )


def rate_of_threads(path: Path, threads: int, seconds: float, **options: Any) -> float:
    """Return entries a second, each thread waiting for each of its own."""
    with AuditLog(path, **options) as log:
        stop = time.monotonic() + seconds

        def work() -> None:
            while time.monotonic() < stop:
                log.append("read", **fields(1))

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return log.stats()["appended"] / seconds


def many_threads(table: Table, root: Path, seconds: float) -> None:
    table.head("Threads of one log                             entries/s")
    for suffix in ("jsonl", "db"):
        for durability in ("os", "fsync"):
            base = 0.0
            for threads in (1, 4, 16):
                path = root / f"threads-{durability}-{threads}.{suffix}"
                rate = rate_of_threads(path, threads, seconds, durability=durability)
                base = base or rate
                name = f"{suffix}, {durability}, {threads} thread{'s' * (threads > 1)}"
                table.line(name, rate, "entries/s", f"{rate / base:.2f} x one thread")


def many_processes(table: Table, root: Path, seconds: float) -> None:
    table.head("Processes on one JSON Lines log, os             entries/s")
    base = 0.0
    for count in (1, 4):
        path = root / f"processes-{count}.jsonl"
        with AuditLog(path):
            pass
        command = [sys.executable, __file__, "--append-for", str(seconds), str(path)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
        rate = sum(int(process.communicate()[0]) for process in running) / seconds
        base = base or rate
        state = verify(path).status
        table.line(
            f"{count} process{'es' * (count > 1)}",
            rate,
            "entries/s",
            f"{rate / base:.2f} x one",
            f"chain {state}",
        )


def append_for(path: str, seconds: float) -> None:
    """Append for a time, and print how many: one of `many_processes`."""
    with AuditLog(path) as log:
        count, stop = 0, time.monotonic() + seconds
        while time.monotonic() < stop:
            log.append("read", **fields(count))
            count += 1
    print(count)


def run_both(command: list[str]) -> float:
    """Return the seconds that two of a command take at once: what a second core is worth."""
    began = time.monotonic()
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    for process in both:
        process.wait()
    return time.monotonic() - began


def verification(table: Table, root: Path, counts: list[int], rounds: int) -> None:
    """Verify against sha256sum of the same file and against the peers; memory of both ends."""
    for count in counts:
        table.head(f"{count:,} entries                                seconds")
        path = root / f"verify-{count}.jsonl"
        appended, memory = run(sys.executable, __file__, "--fill", str(count), str(path))
        table.line(f"append {count:,}, JSON Lines, os", appended, "s", f"peak {memory:.0f} MiB")
        python = [sys.executable, "-I", "-S", VERIFY, "--quiet", str(path)]
        commands = {
            "sha256sum": ["sha256sum", str(path)],
            "verify": [*python, "--jobs", "1"],
            "verify --jobs 2": [*python, "--jobs", "2"],
        }
        took: dict[str, list[float]] = {}
        peaks: dict[str, float] = {}
        for _ in range(rounds):
            for name, command in commands.items():
                seconds, peaks[name] = run(*command)
                took.setdefault(name, []).append(seconds)
        best = {name: statistics.median(list_) for name, list_ in took.items()}
        pairs = [run_both(["sha256sum", str(path)]) for _ in range(rounds)]
        bound = 2 * best["sha256sum"] / statistics.median(pairs)
        table.line(f"two sha256sum at once, {count:,}", bound, "x", "what two processes gain here")
        for name, seconds in best.items():
            notes = [
                f"{seconds / best['sha256sum']:.2f} x sha256sum",
                f"peak {peaks[name]:.0f} MiB",
            ]
            if "jobs" in name:
                notes.append(f"{best['verify'] / seconds:.2f} x as fast as one")
            table.line(f"{name}, {count:,}", seconds, "s", *notes)
        ours_rate = count / best["verify"]
    for name, rate in peer_rates(root):
        note = f"verify is {ours_rate / rate:.1f} x as fast ({ours_rate:,.0f}/s)"
        table.line(f"{name} verifies", rate, "entries/s", note)


def peer_rates(root: Path) -> Iterator[tuple[str, float]]:
    for name, start, count in (
        ("rust-py-audit", rust(False), 50_000),
        ("auditchain, JSON Lines", auditchain("JsonlBackend"), 3_000),
    ):
        folder = root / f"peer-{name[:4]}"
        folder.mkdir()
        try:
            with contextlib.ExitStack() as close:
                call = start(folder, close)
                for i in range(count):
                    call(i)
                log = next(
                    cell.cell_contents
                    for cell in call.__closure__ or ()
                    if hasattr(cell.cell_contents, "verify")
                )
                began = time.monotonic()
                log.verify()
                yield name, count / (time.monotonic() - began)
        except ImportError:
            continue


def fill(path: str, count: int) -> None:
    with AuditLog(path) as log:
        for i in range(1, count):
            log.append("read", **fields(i))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure, and print one table.")
    parser.add_argument("folder", nargs="?", default=".", help="on the disk to be measured")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--append-for", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.append_for:
        return append_for(options.folder, options.append_for)
    if options.fill:
        return fill(options.folder, options.fill)
    table = Table()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        root = Path(folder)
        real.measure(table, root, quick=options.quick)
        counts = [20_000] if options.quick else [100_000, 1_000_000]
        verification(table, root, counts, 1 if options.quick else 5)
        one_caller(table, root, 1 if options.quick else 7)
        many_threads(table, root, 0.3 if options.quick else 3.0)
        many_processes(table, root, 0.5 if options.quick else 4.0)


if __name__ == "__main__":
    main()
