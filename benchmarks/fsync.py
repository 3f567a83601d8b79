"""Group commit: entries a second under ``durability="fsync"``, by threads that wait for each.

    python benchmarks/fsync.py [FOLDER]

FOLDER is on the disk to be measured (by default the current one; a tmpfs shows nothing).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path

from chained_logging import AuditLog

SECONDS = 3.0


def rate(path: Path, threads: int) -> tuple[float, float]:
    """Return entries and syncs a second."""
    with AuditLog(path, durability="fsync") as log:
        stop = time.monotonic() + SECONDS

        def work() -> None:
            while time.monotonic() < stop:
                log.append("read", actor="user-123", resource="patient_record/456", ip="10.0.0.1")

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = log.stats()
    return found["appended"] / SECONDS, found["syncs"] / SECONDS


def main() -> None:
    print(f"{'sink':>6} {'threads':>7} {'entries/s':>10} {'syncs/s':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as folder:
        for suffix in ("jsonl", "db"):
            base = 0.0
            for threads in (1, 4, 16):
                entries, syncs = rate(Path(folder, f"audit-{threads}.{suffix}"), threads)
                base = base or entries
                print(
                    f"{suffix:>6} {threads:>7} {entries:>10,.0f} {syncs:>8,.0f}"
                    f" {entries / base:>6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
