"""How long it takes to remove half of a log of 1,000,000 entries, and to verify what is left.

    python -m pip install -e '.[dev]' && python benchmarks/retention.py [FOLDER] [--count 1000000]

FOLDER needs 4 GB. Of one log the older half goes, as a period ends. Of another each second entry
goes, of another type: the log then has a hole beside each entry.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from query import ORIGIN, events
from table import Table, run

from chained_logging import AuditLog

POLICY = '[retention.records]\nperiod = "1y"\nresource_type = ["patient_record"]\n'
_OLD = dt.datetime.now(dt.UTC) - dt.timedelta(days=500)
_MEBIBYTE = 1 << 20


def aged(count: int, is_old: Callable[[int], bool]) -> Iterator[dict[str, Any]]:
    """Yield events of which those that are old are patient records of 500 days ago."""
    for number, event in enumerate(events(count)):
        if is_old(number):
            yield event | {"timestamp": _OLD + dt.timedelta(seconds=number)}
        else:
            yield event | {"resource": ("invoice", str(number))}


def fill(path: Path, found: Iterator[dict[str, Any]]) -> None:
    sealing = {"max_bytes": 100 * _MEBIBYTE} if path.suffix == ".jsonl" else {}
    with AuditLog(path, origin=ORIGIN, **sealing) as log:
        while batch := list(itertools.islice(found, 1000)):
            log.append_many(batch)


def measure(table: Table, path: Path, name: str) -> None:
    command = (sys.executable, "-m", "chained_logging")
    size = sum(each.stat().st_size for each in path.parent.glob(f"{path.stem}.*"))
    table.line(f"{name}: verify before", run(*command, "verify", str(path))[0], "s")
    apply = ("retention", "apply", str(path), "--yes", "--without-copy")
    seconds, memory = run(*command, *apply)
    left = sum(each.stat().st_size for each in path.parent.glob(f"{path.stem}.*"))
    table.line(f"{name}: retention apply", seconds, "s", "target 60 s for 500,000 in SQLite")
    table.line(f"{name}: peak memory", memory, "MiB")
    table.line(f"{name}: bytes before", size / _MEBIBYTE, "MiB")
    table.line(f"{name}: bytes after", left / _MEBIBYTE, "MiB")
    table.line(f"{name}: verify after", run(*command, "verify", str(path))[0], "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default="/tmp/retention", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "chained-logging.toml").write_text(POLICY)
    os.environ["CHAINED_LOGGING_CONFIG"] = str(options.folder / "chained-logging.toml")
    cases: dict[str, Callable[[int], bool]] = {
        "the older half": lambda number: number < options.count // 2,
        "each second entry": lambda number: number % 2 == 0,
    }
    table = Table()
    print(f"load {os.getloadavg()[0]:.1f}, {options.count:,} entries")
    for suffix in ("db", "jsonl"):
        for name, is_old in cases.items():
            folder = options.folder / "log"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder / f"audit.{suffix}", aged(options.count, is_old))
            measure(table, folder / f"audit.{suffix}", f"{suffix}, {name}")


if __name__ == "__main__":
    main()
