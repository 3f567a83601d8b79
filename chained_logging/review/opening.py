"""Opening a log to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chained_logging.event.entry import AuditEntry
from chained_logging.review.index import IndexedLog
from chained_logging.review.query import Engine
from chained_logging.review.sources import SinkSource
from chained_logging.sinks import open_sink


def open_log(where: str) -> Engine:
    """Return the engine for a log, which may be in use.

    :param where: the path of a log.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: if what is in it is not entries.
    """
    return Engine(IndexedLog(SinkSource(Path(where))))


def stored(where: str) -> Iterator[AuditEntry]:
    """Yield the entries of a log as they are stored, whatever is in them.

    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: at a line that is not an entry.
    """
    return (AuditEntry(*record[1:]) for record in open_sink(Path(where)).records())
