"""How long the baselines take over 1,000,000 entries, and over 1,000 new ones.

    python -m pip install -e '.[dev]' && python benchmarks/baselines.py [FOLDER] [--count 1000000]

FOLDER needs 3 GB. The index of the log is made first, and its time is not counted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from query import events
from table import Table

from chained_logging import AuditLog
from chained_logging.review.detect.baselines.detector import Baselines
from chained_logging.review.opening import open_log

NEW = 1_000
_BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def timed(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Yield events of the benchmark of queries, 10,000 a day."""
    for number, event in enumerate(events(first + count)):
        if number >= first:
            yield event | {"timestamp": _BEGIN + dt.timedelta(seconds=number * 8.64)}


def append(path: Path, count: int, first: int = 0) -> None:
    """Append events to a log."""
    batch = []
    with AuditLog(path) as log:
        for event in timed(count, first):
            batch.append(event)
            if len(batch) == NEW:
                log.append_many(batch)
                batch = []
        log.append_many(batch)


def looked(path: Path, after: int, upto: int) -> tuple[float, int]:
    """Return how many seconds the baselines took, and how many findings they had."""
    with open_log(str(path)) as log:
        begin = time.perf_counter()
        found = sum(1 for _ in Baselines().findings(log, after, upto))
        return time.perf_counter() - begin, found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    given = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder, "audit.jsonl")
        append(path, given.count)
        seconds, found = looked(path, -1, given.count)
        table.line(f"baselines over {given.count:,} entries", seconds, "s", f"{found:,} findings")
        append(path, NEW, given.count)
        seconds, found = looked(path, given.count, given.count + NEW)
        table.line(f"baselines over {NEW:,} new ones", seconds, "s", f"{found:,} findings")
        kept = path.with_name(f"{path.name}.baselines")
        table.line("what is remembered", kept.stat().st_size / 2**20, "MiB")
    table.line("memory, at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")


if __name__ == "__main__":
    main()
