"""Whether a log of ten million entries appends, verifies and answers as one of a million does.

    python benchmarks/scale.py [FOLDER] [--counts 1000000 10000000]

FOLDER needs 14 GB for ten million entries. Each step runs as a process of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from real import PLAIN, VERIFY
from table import Table, run

from chained_logging import AuditLog

_CHUNK = 1000
_ACTORS = 100_000


def events(count: int) -> Iterator[list[dict[str, Any]]]:
    """Yield events of many actors, in chunks."""
    for first in range(0, count, _CHUNK):
        yield [
            {
                **PLAIN,
                "action": "read",
                "actor": f"user-{i % _ACTORS}",
                "resource": f"patient_record/{i}",
            }
            for i in range(first, min(first + _CHUNK, count))
        ]


def fill(path: Path, count: int) -> None:
    """Append that many entries."""
    with AuditLog(path) as log:
        for chunk in events(count):
            log.append_many(chunk)


def size_of(path: Path) -> float:
    """Return a log's size on disk in MB, with the files beside it."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6


def measure(table: Table, folder: Path, suffix: str, count: int) -> dict[str, float]:
    """Fill a log, verify it and ask it; return seconds and sizes by name."""
    path = folder / f"{count}.{suffix}"
    table.head(f"{suffix}, {count:,} entries")
    found: dict[str, float] = {}
    found["append_many"], memory = run(sys.executable, __file__, "--fill", str(count), str(path))
    rate = count / found["append_many"]
    table.line("append_many", found["append_many"], "s", f"{rate:,.0f}/s", f"{memory:.0f} MiB")
    found["size"] = size_of(path)
    table.line("size", found["size"], "MB", f"{found['size'] * 1e6 / count:.0f} bytes an entry")
    python = [sys.executable, "-I", "-S", VERIFY, "--quiet", str(path)]
    for name, command in (("verify", python), ("verify --jobs 1", [*python, "--jobs", "1"])):
        found[name], memory = run(*command)
        rate = count / found[name]
        table.line(name, found[name], "s", f"{rate:,.0f}/s", f"{memory:.0f} MiB")
    if suffix == "db":
        ask(table, path, count, found)
    path.unlink()
    return found


def ask(table: Table, path: Path, count: int, found: dict[str, float]) -> None:
    """Ask for an actor's newest entries, and what it did to a record: an index answers."""
    query = [sys.executable, "-m", "chained_logging", "query", str(path), "--limit", "20"]
    half = count // 2
    actor = ["--actor", f"user-{half % _ACTORS}"]
    asked = {
        "query --actor": actor,
        "query --actor --resource": [*actor, "--resource", f"patient_record/{half}"],
    }
    for name, filters in asked.items():
        found[name], memory = min(run(*query, *filters) for _ in range(3))
        table.line(name, found[name], "s", f"{memory:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure logs of two sizes.")
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    parser.add_argument("--counts", nargs=2, type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        return fill(options.folder, options.fill)
    table = Table()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for suffix in ("jsonl", "db"):
            small, large = (measure(table, Path(folder), suffix, n) for n in options.counts)
            table.head(f"{suffix}: growth")
            grown = options.counts[1] / options.counts[0]
            for name in small:
                ratio = large[name] / small[name]
                table.line(name, ratio, "x", f"for {grown:.0f} times the entries")


if __name__ == "__main__":
    main()
