"""Records to send to a feed, and a web server that keeps what it is sent."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path

from authority import Web, reply
from format_entries import written

from chained_logging import AuditEntry
from chained_logging.format.line import position
from chained_logging.format.record import Record


def records(folder: Path) -> list[Record]:
    """Return records of all kinds."""
    return [as_record(entry) for entry in written(folder / "audit.jsonl")]


def lines_of(folder: Path) -> list[str]:
    """Return their stored lines."""
    return [line.decode() for line in (folder / "audit.jsonl").read_bytes().splitlines()]


def as_record(entry: AuditEntry) -> Record:
    """Return an entry as a shipper gives it to a destination."""
    assert entry.hash
    return Record(position(entry.body)[0], entry.body, entry.hash, entry.signature)


def web(status: int = 200, body: bytes = b"", kind: str = "text/plain") -> Web:
    """Return a server that answers each request in the same way; ``asked`` keeps the requests."""

    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        reply(handler, body, status, kind)

    return Web(answer)
