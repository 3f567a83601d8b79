"""What an audited call, a verification and the other ways of an entry cost on real events.

    python benchmarks/real.py [--quick] [--chart FOLDER] [EVENTS]

EVENTS are CloudTrail events, JSON Lines, perhaps gzip; by default those of the examples.
Contestants take turns, and the best round of each counts, as processor time of its thread: so other
work on the machine shows less. Each figure stands beside its floor: what the same bytes cost with
nothing but the libraries below.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import structlog
from table import Table, run

import chained_logging
from chained_logging import AuditHandler, AuditLog, AuditProcessor
from chained_logging.integrations.asgi import AuditMiddleware

EVENTS = Path(__file__).parents[1] / "examples" / "data" / "cloudtrail.jsonl.gz"
VERIFY = str(Path(chained_logging.__file__).parent / "verify.py")

PLAIN: dict[str, Any] = {
    "actor": "user-123",
    "resource": "patient_record/456",
    "ip": "203.0.113.7",
    "session_id": "s-9f8e7d6c5b4a",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "reason": "treatment",
}
REQUEST = {"path": "/p/1", "headers": {"accept": "*/*", "host": "x"}, "query": {"page": 2}}
SHAPES: dict[str, dict[str, Any]] = {
    "plain text": PLAIN,
    "structlog's timestamp": {
        **PLAIN,
        "timestamp": "2026-11-27T08:13:02.123456Z",
        "level": "info",
    },
    "changed fields, old values": {
        **PLAIN,
        "changed_fields": ["name", "email"],
        "old_values": {"name": "Bob", "email": "b@x.org"},
    },
    "numbers": {**PLAIN, "duration_ms": 12.5, "http_status": 200, "ok": True},
    "nested context": {**PLAIN, "request": REQUEST},
    "not ASCII": {**PLAIN, "reason": "Überweisung"},
    "a URL with a secret": {**PLAIN, "url": "https://x.example/p?q=1&token=abc"},
    "an incomplete event": {key: value for key, value in PLAIN.items() if key != "ip"},
}

Row = dict[str, Any]
Contestant = tuple[list[Row], Callable[[Row], object]]


def read(source: Path) -> list[Row]:
    """Return CloudTrail events as calls that code would make."""
    opened: Any = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt") as lines:
        return [_call(json.loads(line)) for line in lines]


def _call(event: Row) -> Row:
    who = event.get("userIdentity", {})
    return {
        "action": event["eventName"],
        "actor_id": who.get("arn") or who.get("invokedBy") or "unknown",
        "actor_type": "service" if who.get("type") == "AWSService" else "user",
        "resource_type": event["eventSource"],
        "resource_id": event["eventID"],
        "result": "failure" if event.get("errorCode") else "success",
        "ip_address": event["sourceIPAddress"],
        "user_agent": event.get("userAgent"),
        "request": event.get("requestParameters"),
        "response": event.get("responseElements"),
        "timestamp": event["eventTime"],
    }


# --- Contestants.


def structlog_to(file: Any, *processors: Any) -> Any:
    """Return structlog's logger as its performance guide has it, to a file."""
    first = structlog.contextvars.merge_contextvars
    last = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    return structlog.wrap_logger(
        structlog.BytesLogger(file),
        processors=[first, *processors, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    ).bind()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(record.__dict__, str).decode()


def stdlib_to(path: Path, *more: logging.Handler) -> logging.Logger:
    """Return a logger of the standard library that writes JSON to a file."""
    logger = logging.Logger(path.name)
    handler = logging.FileHandler(path)
    handler.setFormatter(_Json())
    for each in (*more, handler):
        logger.addHandler(each)
    return logger


def _logged(logger: logging.Logger, **tag: bool) -> Callable[[Row], object]:
    """Return a call that passes an event as `extra`."""
    return lambda e: logger.info(e["action"], extra={**tag, **_named(e)})


def _named(event: Row) -> Row:
    return {key: value for key, value in event.items() if key not in ("action", "timestamp")}


def contestants(root: Path, real: list[Row], close: contextlib.ExitStack) -> dict[str, Contestant]:
    """Return who is measured, each with its events and its call."""

    def log(name: str) -> AuditLog:
        return close.enter_context(AuditLog(root / f"{name}.jsonl"))

    file = close.enter_context((root / "plain.out").open("ab"))
    plain = [{**PLAIN, "action": "read", "resource": f"patient_record/{i}"} for i in range(2000)]
    stamped = structlog.processors.add_log_level, structlog.processors.TimeStamper("iso", utc=True)
    base = structlog_to(file, *stamped)
    audited = structlog_to(file, *stamped, AuditProcessor(log("structlog")))
    lines, handled = (
        stdlib_to(root / "lines.out"),
        stdlib_to(root / "handled.out", AuditHandler(log=log("stdlib"))),
    )
    append = log("append").append
    many = log("many")
    found: dict[str, Contestant] = {}
    for kind, rows in (("plain text", plain), ("CloudTrail", real)):
        found[f"structlog, {kind}"] = (rows, _told(base))
        found[f"structlog, {kind}, audited"] = (rows, _told(audited))
        found[f"logging, {kind}"] = (rows, _logged(lines))
        found[f"logging, {kind}, audited"] = (rows, _logged(handled, audit=True))
    for name, shape in SHAPES.items():
        found[f"append, {name}"] = ([shape] * 2000, lambda e: append("read", **e))
    found["append, CloudTrail"] = (real, lambda e: append(**e))
    chunks = [{"events": real[i : i + 100]} for i in range(0, len(real), 100)]
    found["append_many, CloudTrail"] = (chunks, lambda e: many.append_many(e["events"]))
    found.update(_peer(root, plain, real))
    return found


def _told(logger: Any) -> Callable[[Row], object]:
    return lambda e: logger.info(e["action"], audit=True, **_named(e))


def _peer(root: Path, plain: list[Row], real: list[Row]) -> dict[str, Contestant]:
    try:
        import rust_py_audit  # a core in Rust; no required fields, no handlers, no redaction
    except ImportError:
        print("rust-py-audit is not installed: pip install -e '.[bench]'")
        return {}
    peer = rust_py_audit.AuditLogger("bench", str(root / "rust.jsonl"))

    def call(kind: str, id: str) -> Callable[[Row], object]:
        return lambda e: peer.log(
            e.get("actor") or e["actor_id"],
            e["action"],
            resource=e.get("resource_type", kind),
            resource_id=e[id],
            metadata=e,
        )

    by_name = call("patient_record", "resource")
    return {
        "rust-py-audit, plain text": (plain, by_name),
        **{
            f"rust-py-audit, {name}": ([{**shape, "action": "read"}] * 2000, by_name)
            for name, shape in SHAPES.items()
            if shape is not PLAIN
        },
        "rust-py-audit, CloudTrail": (real, call("", "resource_id")),
    }


# --- Measuring.


def best_of(rounds: int, found: dict[str, Contestant]) -> dict[str, float]:
    """Return the µs of a row of each contestant: processor time of this thread, the best round."""
    best = dict.fromkeys(found, float("inf"))
    for _ in range(rounds):
        for name, (rows, call) in found.items():
            began = time.thread_time()
            for row in rows:
                call(row)
            took = (time.thread_time() - began) / len(rows) * 1e6
            best[name] = min(best[name], took)
    return best


def capture(table: Table, root: Path, real: list[Row], rounds: int) -> None:
    """Measure what it costs to capture an event, by its shape."""
    table.head("A call, real events                            µs")
    with contextlib.ExitStack() as close:
        best = best_of(rounds, contestants(root, real, close))
    best["append_many, CloudTrail"] /= 100
    for name, took in best.items():
        table.line(name, took, "µs")
    table.head("Ratios")
    for logger in ("structlog", "logging"):
        for kind in ("plain text", "CloudTrail"):
            base = best[f"{logger}, {kind}"]
            added = best[f"{logger}, {kind}, audited"] / base - 1
            table.line(f"{logger}, {kind}: added / the call", added, "x")
    plain = best["append, plain text"]
    worst = max(SHAPES, key=lambda shape: best[f"append, {shape}"])
    table.line("worst shape / plain text", best[f"append, {worst}"] / plain, "x", worst)
    table.line("CloudTrail / plain text", best["append, CloudTrail"] / plain, "x")
    for kind in ("plain text", "CloudTrail"):
        if f"rust-py-audit, {kind}" in best:
            ratio = best[f"append, {kind}"] / best[f"rust-py-audit, {kind}"]
            table.line(f"append / rust-py-audit, {kind}", ratio, "x")


def carrying(table: Table, root: Path, real: list[Row], rounds: int) -> None:
    """Measure the ways that read, check and carry entries, each against its floor."""
    path = root / "carried.jsonl"
    with AuditLog(path) as log:
        count = rounds * len(real)
        for _ in range(rounds):
            log.append_many(real)
    table.head(f"{count:,} CloudTrail entries                       seconds")
    python = sys.executable
    start, _ = min(run(python, "-c", "import chained_logging.cli") for _ in range(3))
    table.line("start of Python and the command", start, "s")
    command = [python, "-m", "chained_logging"]
    events = root / "events.jsonl"
    with events.open("wb") as file:
        for _ in range(rounds):
            file.writelines(orjson.dumps(event) + b"\n" for event in real)
    parse = "import sys, orjson\nfor line in open(sys.argv[1], 'rb'): orjson.loads(line)"
    floors: dict[str, tuple[str, list[str]]] = {
        "sha256sum": ("", ["sha256sum", str(path)]),
        "cat": ("", ["cat", str(path)]),
        "orjson.loads of each line": ("", [python, "-c", parse, str(path)]),
    }
    ways: dict[str, tuple[str, list[str]]] = {
        "verify": ("sha256sum", [*command, "verify", str(path)]),
        "verify.py, standard library": ("sha256sum", [python, "-I", "-S", VERIFY, str(path)]),
        "export": ("cat", [*command, "export", str(path)]),
        "query --json": ("orjson.loads of each line", [*command, "query", "--json", str(path)]),
        "append from standard input": (
            "orjson.loads of each line",
            ["sh", "-c", f"exec {python} -m chained_logging append {root}/in.jsonl < {events}"],
        ),
    }
    best: dict[str, float] = {}
    for name, (floor, arguments) in {**floors, **ways}.items():
        best[name] = min(run(*arguments)[0] for _ in range(3))
        if not floor:
            table.line(name, best[name], "s")
            continue
        net = best[name] - (0 if VERIFY in arguments else start)
        notes = [f"{net / best[floor]:.1f} x {floor}, start-up aside", f"{count / net:,.0f}/s"]
        table.line(name, best[name], "s", *notes)


REQUESTED: Row = {
    "type": "http",
    "method": "GET",
    "path": "/patients/1",
    "query_string": b"",
    "headers": [(b"user-agent", b"curl/8")],
    "client": ("203.0.113.7", 1234),
}


async def _receive() -> Row:
    return {"type": "http.request", "body": b""}


async def _send(message: Row) -> None: ...


async def call(application: Any) -> None:
    """Send one request to an ASGI application, and throw its answer away."""
    await application(dict(REQUESTED), _receive, _send)


def web(table: Table, root: Path, rounds: int) -> None:
    """Measure what the middleware adds to an application that does nothing."""
    table.head("An ASGI request                                µs")

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def request(application: Any) -> Callable[[Row], object]:
        loop = close.enter_context(asyncio.Runner())

        async def several() -> None:
            for _ in range(100):
                await call(application)

        return lambda _: loop.run(several())

    with contextlib.ExitStack() as close:
        log = close.enter_context(AuditLog(root / "web.jsonl"))
        found: dict[str, Contestant] = {
            "an empty async def": ([{}] * 20, request(nothing)),
            "  behind AuditMiddleware": ([{}] * 20, request(AuditMiddleware(nothing, log=log))),
        }
        for name, took in best_of(rounds, found).items():
            table.line(name, took / 100, "µs")


# --- The chart.


def chart(table: Table, folder: Path) -> Iterable[Path]:
    """Draw what an event costs by its shape, ours beside the peer, for light and dark pages."""
    import pygal
    from pygal.style import Style

    kinds = ["CloudTrail", *reversed(SHAPES)]  # from below
    for name, text, quiet in (("light", "#222", "#666"), ("dark", "#eee", "#aaa")):
        plot = pygal.HorizontalBar(
            style=Style(
                background="transparent",
                plot_background="transparent",
                foreground=text,
                foreground_strong=text,
                foreground_subtle=quiet,
                value_colors=(text, text),
                colors=("#3b82d6", "#d9822b"),
            ),
            title="Cost of one entry by the shape of the event (µs of processor time)",
            js=[],  # no request to anywhere
            legend_at_bottom=True,
            height=560,
            print_values=True,
            formatter=_microseconds,
        )
        plot.x_labels = kinds
        plot.add("chained_logging, append", [table.found.get(f"append, {k}") for k in kinds])
        plot.add("rust-py-audit", [table.found.get(f"rust-py-audit, {k}") for k in kinds])
        target = folder / f"cost-{name}.svg"
        target.write_bytes(re.sub(rb"<script.*?</script>", b"", plot.render(), flags=re.DOTALL))
        yield target


def _microseconds(value: float | None) -> str:
    """Return the label of a bar: empty for a contestant that was not measured."""
    return "" if value is None else f"{value:.0f}"


def measure(table: Table, root: Path, *, quick: bool, events: Path = EVENTS) -> None:
    """Measure everything in this file."""
    real = read(events)
    capture(table, root, real, 2 if quick else 7)
    web(table, root, 2 if quick else 7)
    carrying(table, root, real, 3 if quick else 60)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure real events, and print one table.")
    parser.add_argument("events", nargs="?", type=Path, default=EVENTS)
    parser.add_argument("--quick", action="store_true", help="a part of the work")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="draw the chart there")
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(dir=os.curdir) as folder:
        measure(table, Path(folder), quick=options.quick, events=options.events)
    for path in chart(table, options.chart) if options.chart else ():
        print(path)


if __name__ == "__main__":
    main()
