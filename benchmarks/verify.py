"""Verification against ``sha256sum`` of the same file, and memory as the log grows.

python benchmarks/verify.py [ENTRIES ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chained_logging import AuditLog, verify

VERIFY = str(sys.modules[verify.__module__].__file__)


def write(path: Path, entries: int) -> None:
    event = {"action": "read", "actor": "user-123", "ip": "10.0.0.1", "duration_ms": 12}
    with AuditLog(path) as log:
        for start in range(1, entries, 10_000):
            numbers = range(start, min(start + 10_000, entries))
            log.append_many([{**event, "resource": f"patient_record/{n}"} for n in numbers])


def measure(*command: str) -> tuple[float, float]:
    """Return seconds and the peak of resident memory in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> None:
    print(f"{'entries':>10} {'MB':>7} {'sha256sum s':>12} {'verify s':>9} {'ratio':>6} {'MiB':>5}")
    for entries in [int(text) for text in sys.argv[1:]] or [100_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "audit.jsonl")
            write(path, entries)
            plain, _ = measure("sha256sum", str(path))
            ours, memory = measure(sys.executable, "-I", "-S", VERIFY, "--quiet", str(path))
            size = path.stat().st_size / 1e6
        print(
            f"{entries:>10,} {size:>7.0f} {plain:>12.2f} {ours:>9.2f} {ours / plain:>6.1f}"
            f" {memory:>5.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
