"""FastAPI with the middleware against FastAPI without it, in one table.

    apt-get install wrk && python benchmarks/web.py [--rounds 5] [--seconds 3] [FOLDER]

Three handlers are asked: one as applications have it, and two that do nothing, which shows what
the middleware itself takes. Each contestant is a uvicorn of its own with one worker, all of them
running for the whole time; rounds alternate between them, so that a noisy machine is noisy for
all. Shown are medians: requests a second as wrk counts them, their ratio to those without in the
same round, and the same ratio of the processor time that the server took for each, which other
programs on the machine disturb less. FOLDER is on the disk to be measured (by default the current
one; on a tmpfs a sync costs nothing).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

APPLICATION = """
import datetime, os, sqlite3
from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel
app = FastAPI()

@app.get("/patients/{id}")
async def show(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}

@app.get("/plain/{id}")
def plain(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}

class Patient(BaseModel):
    id: int
    name: str
    born: datetime.date
    notes: list[str]

def signed_in(authorization: str = Header("Bearer ann")) -> str:
    return authorization.removeprefix("Bearer ")

def database():
    connection = sqlite3.connect("patients.sqlite", check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()

with sqlite3.connect("patients.sqlite") as made:
    made.execute("CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY, name TEXT, born TEXT)")
    made.execute("INSERT OR REPLACE INTO p VALUES (456, 'Jane', '1970-01-01')")
made.close()

@app.get("/record/{id}")
def record(id: int, user=Depends(signed_in), connection=Depends(database)) -> Patient:
    row = connection.execute("SELECT id, name, born FROM p WHERE id = ?", (id,)).fetchone()
    return Patient(id=row[0], name=row[1], born=row[2], notes=[user] * 20)

log, durability, mode = os.environ["CONTESTANT"].split()
if log != "-":
    from chained_logging import AuditLog
    from chained_logging.integrations.asgi import AuditMiddleware
    app.add_middleware(AuditMiddleware, log=AuditLog(log, durability=durability), mode=mode)
"""

CONTESTANTS = {
    "without": "- - -",
    "JSON Lines, os": "audit.jsonl os before",
    "JSON Lines, fsync": "synced.jsonl fsync before",
    "JSON Lines, fsync, after": "after.jsonl fsync after",
    "SQLite, os": "audit.db os before",
    "SQLite, fsync": "synced.db fsync before",
}
PATHS = {
    "/record/456": "a token, a row, a model",
    "/plain/456": "nothing, in a thread",
    "/patients/456": "nothing, async",
}
TARGET = 0.85
WRK = ["wrk", "-t1", "-c32"]


def start(folder: Path, contestant: str) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--no-access-log", "--log-level", "error"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "application:app", *options],
        cwd=folder,
        env={**os.environ, "CONTESTANT": contestant},
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return process, port
        time.sleep(0.05)
    raise SystemExit("a server does not start")


class Rate(NamedTuple):
    """What a round measured."""

    requests: float  # a second
    processor: float  # microseconds a request


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has taken, with its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(pid: int, port: int, seconds: float, path: str) -> Rate:
    command = [*WRK, f"-d{seconds}s", f"http://127.0.0.1:{port}{path}"]
    before = processor_time(pid)
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    spent = processor_time(pid) - before
    assert "Non-2xx" not in text, text
    count = re.search(r"(\d+) requests in", text)
    assert count is not None, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return Rate(float(found[1]), spent / int(count[1]) * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--path", choices=PATHS, action="append", help="this handler alone")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk: apt-get install wrk")
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder))
        )
        (folder / "application.py").write_text(APPLICATION)
        servers = {}
        for name, contestant in CONTESTANTS.items():
            process, port = start(folder, contestant)
            servers[name] = (process.pid, port)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        paths = options.path or list(PATHS)
        rates: dict[str, dict[str, list[Rate]]] = {}
        for path in paths:
            measured = rates[path] = {name: [] for name in servers}
            for server in servers.values():
                rate(*server, 1, path)
            for _ in range(options.rounds):
                for name, server in servers.items():
                    measured[name].append(rate(*server, options.seconds, path))
    print(f"\n{options.rounds} rounds of {options.seconds} s, 32 connections; the handler does")
    print("requests a second, against without, the same by processor time\n")
    print("| |", " | ".join(PATHS[path] for path in paths), "|")
    print("|---" * (len(paths) + 1) + "|")
    for name in servers:
        print(f"| {name} |", " | ".join(against_without(rates[p], name) for p in paths), "|")
    print(f"\nThe target is {TARGET} for JSON Lines under os.")


def against_without(rates: dict[str, list[Rate]], name: str) -> str:
    """Compare each round with that of the same time without: what the machine does hits both."""
    pairs = list(zip(rates[name], rates["without"], strict=True))
    requests = statistics.median(measured.requests for measured, _ in pairs)
    ratio = statistics.median(measured.requests / base.requests for measured, base in pairs)
    cost = statistics.median(base.processor / measured.processor for measured, base in pairs)
    return f"{requests:,.0f}, **{ratio:.2f}**, {cost:.2f}"


if __name__ == "__main__":
    main()
