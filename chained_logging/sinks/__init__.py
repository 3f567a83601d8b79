"""Where entries are kept: one small protocol, with one module for each kind of store."""

from __future__ import annotations

from pathlib import Path

from chained_logging.sinks.sink import RECENT, Notice, Sink

__all__ = [
    "JSONL_SUFFIXES",
    "RECENT",
    "SQLITE_SUFFIXES",
    "Notice",
    "Sink",
    "open_sink",
]

SQLITE_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})


def open_sink(path: Path, *, max_bytes: int | None = None, max_age: float | None = None) -> Sink:
    """Return the sink for a path, by its suffix: ``.jsonl`` or ``.ndjson``, ``.db`` or ``.sqlite``.

    :param max_bytes: the size at which a JSON Lines file becomes a sealed segment.
    :param max_age: the age in seconds at which it does.
    :raises ValueError: for any other suffix, or for rotation of a database.
    """
    if path.suffix in JSONL_SUFFIXES:
        from chained_logging.sinks.jsonl import JsonlSink

        return JsonlSink(path, max_bytes=max_bytes, max_age=max_age)
    if path.suffix in SQLITE_SUFFIXES:
        if max_bytes is not None or max_age is not None:
            raise ValueError("max_bytes and max_age are for JSON Lines: a database is one file")
        from chained_logging.sinks.sqlite import SqliteSink

        return SqliteSink(path)
    raise ValueError(
        f"cannot tell the kind of log from {path.name!r}: use .jsonl or .ndjson for JSON Lines, "
        ".db, .sqlite or .sqlite3 for SQLite"
    )
