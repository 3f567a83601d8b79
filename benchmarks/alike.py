"""Whether a log in SQLite, in PostgreSQL and in 20 segments of JSON Lines answers alike.

    python -m pip install -e '.[dev]' && python benchmarks/alike.py [FOLDER] [--count 1000000]

One log is written, in segments, and copied into a database and into PostgreSQL, of which a server
is started. Each copy is asked every named question, about all entries and about a month's, what the
filters of query.py find, and what the viewer counts. The exit status is 1 if two answers differ.
FOLDER needs 3 GB for a million entries; what is there already is used again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from query import ORIGIN, events, filters, shipped
from table import Table

from chained_logging import AuditLog
from chained_logging.review.export import export_log
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine
from chained_logging.review.questions import NAMES

SEGMENTS = 20
_SIZE = 560  # bytes of a line, and a little less: the last segment is not full
_ASKED = {
    "actor-activity": Filter(actor=("user-1",)),
    "resource-access": Filter(resource=("patient_record/7", "ward/3")),
}

Answers = dict[str, tuple[str, str, float]]
"""By what was asked: the answer in short, its digest, and how many seconds it took."""


def varied(count: int) -> Iterator[dict[str, Any]]:
    """Yield events of which each question finds some."""
    for number, event in enumerate(events(count)):
        if number % 9 == 0:
            event["actor_type"] = "admin"
        if number % 10 == 0:
            event["action"] = ("logout", "delete", "download")[number // 10 % 3]
        if number % 50 == 0:
            event["resources"] = [("ward", str(number % 7)), ("patient_record", "7")]
        if number % 400 == 0:
            event["result"] = "failure"
        if number % 30 == 0:
            event |= {"changed_fields": ["name", "ward"], "old_values": {"ward": number % 7}}
        yield event


def fill(path: Path, count: int) -> None:
    rest = varied(count - 1)
    with AuditLog(path, origin=ORIGIN, max_bytes=max(count * _SIZE // SEGMENTS, 4096)) as log:
        while batch := list(itertools.islice(rest, 1000)):
            log.append_many(batch)


def questions(engine: Engine) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is asked, by its name."""
    newest = engine.entries(ANY, limit=1).entries[0].seq
    half = Filter(first_seq=newest // 4, last_seq=newest * 3 // 4)
    for name in NAMES:
        wanted = _ASKED.get(name, ANY)
        part = wanted.narrowed(first_seq=half.first_seq, last_seq=half.last_seq)
        yield name, lambda name=name, wanted=wanted: engine.ask(name, wanted).rows
        yield f"{name}, half", lambda name=name, part=part: engine.ask(name, part).rows
    for name, wanted in filters(engine).items():
        yield f"filter: {name}", lambda wanted=wanted: [e.line for e in engine.every(wanted)]
    yield "scope", lambda: [engine.scope()]
    yield "facets", lambda: sorted(engine.facets().items())
    yield "histogram", lambda: sorted(engine.histogram().items())


def answers(engine: Engine) -> Answers:
    found: Answers = {}
    for name, ask in questions(engine):
        began = time.perf_counter()
        rows = ask()
        taken = time.perf_counter() - began
        digest = hashlib.sha256(repr(list(map(tuple, rows))).encode()).hexdigest()
        found[name] = (f"{len(rows):,} rows", digest, taken)
    return found


def stores(folder: Path, count: int) -> Iterator[tuple[str, Engine]]:
    """Yield each store, opened."""
    log = folder / "alike.jsonl"
    if not log.exists():
        fill(log, count)
    segments = len(list(folder.glob("alike.*.jsonl")))
    with open_log(str(log)) as engine:
        yield f"JSON Lines, {segments} segments and the log itself", engine
    database = log.with_suffix(".db")
    if not database.exists():
        export_log(log, database)
    with open_log(str(database)) as engine:
        yield "SQLite, as it is", engine
    with shipped(log) as url, open_log(url) as engine:
        yield "PostgreSQL", engine


def main() -> None:
    parser = argparse.ArgumentParser(description="Whether all stores answer alike.")
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    options = parser.parse_args()
    table, expected, differing = Table(), Answers(), 0
    with contextlib.closing(stores(options.folder, options.count)) as opened:
        for store, engine in opened:
            found = answers(engine)
            expected = expected or found
            differ = [name for name in expected if found[name][1] != expected[name][1]]
            table.head(f"{store}, {engine.count():,} entries")
            for name, (short, digest, taken) in found.items():
                mark = "DIFFERS" if name in differ else digest[:12]
                table.line(name, taken * 1000, "ms", short, mark)
            differing += len(differ)
    print(f"\n{len(expected)} answers of each store: {differing or 'none'} differ")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
