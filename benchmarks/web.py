"""FastAPI with the middleware against FastAPI without it, in one table.

    apt-get install wrk && python benchmarks/web.py [--rounds 5] [--seconds 4] [FOLDER]

Each contestant is a uvicorn of its own with one worker, all of them running for the whole time;
rounds alternate between them, so that a noisy machine is noisy for all. What is shown is the
median round. FOLDER is on the disk to be measured (by default the current one; on a tmpfs a sync
costs nothing).
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

APPLICATION = """
import os
from fastapi import FastAPI
app = FastAPI()

@app.get("/patients/{id}")
async def show(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}

@app.get("/plain/{id}")
def plain(id: str) -> dict[str, str]:
    return {"id": id, "name": "Jane"}

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


def rate(port: int, seconds: float, path: str) -> tuple[float, float]:
    """Return requests a second, and the median latency in milliseconds."""
    command = [*WRK, f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}{path}"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert "Non-2xx" not in text, text
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    latency = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    assert found is not None, text
    assert latency is not None, text
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]]
    return float(found[1]), float(latency[1]) * unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--path", default="/patients/456", help="or /plain/456, in a thread")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk: apt-get install wrk")
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder))
        )
        (folder / "application.py").write_text(APPLICATION)
        ports = {}
        for name, contestant in CONTESTANTS.items():
            process, ports[name] = start(folder, contestant)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        for port in ports.values():
            rate(port, 1, options.path)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
        for _ in range(options.rounds):
            for name, port in ports.items():
                rates[name].append(rate(port, options.seconds, options.path))
    # Each round against that of the same time without: what the machine does hits both.
    base = [requests for requests, _ in rates["without"]]
    print(f"\n{options.rounds} rounds of {options.seconds} s, 32 connections, {options.path}\n")
    print("| | requests a second | against without | median ms |")
    print("|---|---|---|---|")
    for name, measured in rates.items():
        requests = statistics.median(r for r, _ in measured)
        latency = statistics.median(ms for _, ms in measured)
        ratio = statistics.median(r / b for (r, _), b in zip(measured, base, strict=True))
        print(f"| {name} | {requests:,.0f} | {ratio:.2f} | {latency:.1f} |")
    print(f"\nThe target is {TARGET} for JSON Lines under os.")


if __name__ == "__main__":
    main()
