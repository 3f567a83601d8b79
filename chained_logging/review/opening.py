"""Opening a log to ask it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from chained_logging.event.entry import AuditEntry
from chained_logging.net.urls import shown
from chained_logging.review.database import DatabaseLog
from chained_logging.review.files import JsonlSource
from chained_logging.review.index import SMALL, IndexedLog
from chained_logging.review.index_files import cached_path, index_path
from chained_logging.review.query import Engine
from chained_logging.review.sources import Source, SqliteSource, StoreSource
from chained_logging.sinks import open_sink
from chained_logging.sinks.lines import line_of
from chained_logging.sinks.sqlite import SqliteSink


def open_log(
    where: str,
    *,
    origin: str | None = None,
    fresh: bool = False,
    indexed: bool = False,
    archive: tuple[str, Sequence[Path]] | None = None,
) -> Engine:
    """Return the engine for a log, which may be in use.

    :param where: the path of a log, or the URL of a central store.
    :param origin: the name of the log, where a store holds several.
    :param fresh: make the index now, in memory and from the log alone. It takes as long as there
        are entries, and nobody can have changed it.
    :param indexed: make the index of a log in SQLite too, and keep it: for who asks about all of
        its entries, and more than once. Other logs need no word.
    :param archive: the name of an archive, and the files in it that belong to a JSON Lines log; of
        a central store the name alone counts.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: if what is in it is not entries.
    """
    if archive is not None:
        joined = _joined(where, origin, archive)
        kept = None if fresh or joined.size() < SMALL else cached_path(joined.name)
        return Engine(IndexedLog(joined, kept))
    if where.startswith(("postgresql://", "postgres://")) and not fresh:
        from chained_logging.review.postgres import PostgresLog

        return Engine(PostgresLog(where, origin))
    source = open_source(where, origin)
    if fresh:
        return Engine(IndexedLog(source, None))
    if isinstance(source, SqliteSource) and not indexed:
        return Engine(
            DatabaseLog(Path(where), lambda: _indexed(source, where), lambda: _kept(where))
        )
    return Engine(_indexed(source, where))


def _joined(where: str, origin: str | None, archive: tuple[str, Sequence[Path]]) -> Source:
    """Return a log with what is in an archive."""
    if is_url(where):
        return StoreSource(where, origin, archive[0])
    return JsonlSource(Path(where), archive)


def _indexed(source: Source, where: str) -> IndexedLog:
    if source.size() < SMALL:
        return IndexedLog(source, None)
    kept = cached_path(source.name) if is_url(where) else index_path(Path(where))
    return IndexedLog(source, kept)


def _kept(where: str) -> bool:
    """Whether an index was made before."""
    path = index_path(Path(where))
    return path is not None and path.exists()


def open_source(where: str, origin: str | None = None) -> Source:
    """Return a log to be read from its first entry to its last.

    :param where: the path of a log, or the URL of a central store.
    :param origin: the name of the log, where a store holds several.
    :raises OSError: if the log cannot be read; also LogError.
    """
    if is_url(where):
        return StoreSource(where, origin)
    path = Path(where)
    is_database = isinstance(open_sink(path), SqliteSink)
    return SqliteSource(path) if is_database else JsonlSource(path)


def is_url(where: str) -> bool:
    """Whether this names a central store, and not a file."""
    return "://" in where and not Path(where).exists()


def named(where: str) -> str:
    """Return how a log is called in what people read: no folder, and nothing secret of a URL."""
    return shown(where).partition("://")[2] if is_url(where) else Path(where).name


def stored(where: str) -> Iterator[AuditEntry]:
    """Yield the entries of a log as they are stored, whatever is in them.

    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: at a line that is not an entry.
    """
    return (AuditEntry(*record[1:]) for record in open_sink(Path(where)).records())


def stored_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a log as they are stored, those of stubs too, each with its line feed.

    :raises: as :func:`stored`.
    """
    return (line_of(item) + b"\n" for item in open_sink(path).stored())
