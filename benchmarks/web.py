"""FastAPI with the middleware against FastAPI without it, in one table.

    apt-get install wrk && python benchmarks/web.py [--rounds 5] [--seconds 4] [FOLDER]

Each contestant is a uvicorn of its own with one worker, all of them running for the whole time;
rounds alternate between them, so that a noisy machine is noisy for all. What is shown is the
median round: requests a second as wrk counts them, and the processor time that the server took
for each, which other programs on the machine disturb less. FOLDER is on the disk to be measured
(by default the current one; on a tmpfs a sync costs nothing).
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
    latency: float  # median, in milliseconds
    processor: float  # microseconds a request


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has taken, with its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(pid: int, port: int, seconds: float, path: str) -> Rate:
    command = [*WRK, f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    before = processor_time(pid)
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    spent = processor_time(pid) - before
    assert "Non-2xx" not in text, text
    count = re.search(r"(\d+) requests in", text)
    assert count is not None, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    assert found is not None, text
    assert latency is not None, text
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]]
    return Rate(float(found[1]), float(latency[1]) * unit, spent / int(count[1]) * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument(
        "--path",
        default="/patients/456",
        help="or /plain/456, which runs in a thread, or /record/456, which has a database too",
    )
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
        for server in servers.values():
            rate(*server, 1, options.path)
        rates: dict[str, list[Rate]] = {name: [] for name in servers}
        for _ in range(options.rounds):
            for name, server in servers.items():
                rates[name].append(rate(*server, options.seconds, options.path))
    # Each round against that of the same time without: what the machine does hits both.
    base = rates["without"]
    print(f"\n{options.rounds} rounds of {options.seconds} s, 32 connections, {options.path}\n")
    print("| | requests a second | against without | processor µs | against without | median ms |")
    print("|---|---|---|---|---|---|")
    for name, measured in rates.items():
        median = Rate(*map(statistics.median, zip(*measured, strict=True)))
        pairs = list(zip(measured, base, strict=True))
        ratio = statistics.median(m.requests / b.requests for m, b in pairs)
        cost = statistics.median(b.processor / m.processor for m, b in pairs)
        print(
            f"| {name} | {median.requests:,.0f} | {ratio:.2f} | {median.processor:.0f} "
            f"| {cost:.2f} | {median.latency:.1f} |"
        )
    print(f"\nThe target is {TARGET} for JSON Lines under os.")


if __name__ == "__main__":
    main()
