"""Asking a log: which entries a filter finds, how many, and what they have in common.

A log is opened by :func:`chained_logging.review.opening.open_log`. Nothing is verified: that is for
:mod:`chained_logging.verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol

from chained_logging.errors import BrokenLog, ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.review.conditions import FOUND
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.questions import narrowed, question

Order = Literal["newest", "oldest"]
PAGE: Final = 500

FACETS: Final = ("actor_id", "action", "resource_type", "result", "ip_address", "tenant_id")
"""The columns that :meth:`Engine.facets` counts by default."""


class Answer(NamedTuple):
    """A table: the names of its columns, and its rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Store(Protocol):
    """A log in a database, for one thread.

    :ivar name: what messages call the log.
    :ivar fault: the first fault of the chain that reading it showed, in words.
    """

    name: str

    @property
    def fault(self) -> str | None: ...

    def table(
        self, sql: str, wanted: Filter, values: dict[str, Any], reads: Sequence[str] | None
    ) -> Answer:
        """Return what a query returns that selects from ``found``: what a filter finds.

        :param values: its parameters, by their names. In the text they are ``:name``.
        :param reads: the columns of ``found`` that it reads; None for any.
        """

    def records(self, wanted: Sequence[int]) -> list[Record]:
        """Return entries by their ``seq``, in that order, as the log has them.

        :raises Misfit: if they are not what was indexed.
        """

    def stream(self, after: int) -> Iterator[tuple[bytes, str]]:
        """Yield body and hash of each entry after one, in order, as the log has them.

        Nothing is checked: for who reads much of a log, and does not show it.

        :param after: a ``seq``; -1 for all entries.
        :raises OSError: if the log cannot be read; also LogError.
        :raises ValueError: at what is not an entry.
        :raises Misfit: if the index does not fit the log.
        """

    def refresh(self) -> None:
        """Take in what was appended to the log since."""

    def rebuild(self) -> None:
        """Make what is derived from the log again, from the log alone."""

    def close(self) -> None:
        """Close what is open."""


class Misfit(ChainedLoggingError):
    """The index of a log does not fit it: another log is there now, or somebody changed one."""


class Page(NamedTuple):
    """Some of the entries that a filter finds.

    :ivar cursor: what :meth:`Engine.entries` takes for the next page; None after the last one.
    """

    entries: list[AuditEntry]
    cursor: int | None


class Scope(NamedTuple):
    """What was looked at: how many entries, and the times of the earliest and the latest event."""

    entries: int
    earliest: str | None
    latest: str | None


class Engine:
    """Questions about one log, over SQL.

    :param store: the log. It is closed with the engine.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the log."""
        self.store.close()

    def count(self, wanted: Filter = ANY) -> int:
        """Return how many entries a filter finds."""
        ((count,),) = self._ask("SELECT count(*) FROM found", wanted, reads=())
        return int(count)

    def scope(self, wanted: Filter = ANY) -> Scope:
        """Return how many entries a filter finds, and from which time to which."""
        sql = "SELECT count(*), min(timestamp), max(timestamp) FROM found"
        return Scope(*self._ask(sql, wanted, reads=("timestamp",))[0])

    def entries(
        self,
        wanted: Filter = ANY,
        *,
        cursor: int | None = None,
        limit: int = PAGE,
        order: Order = "newest",
    ) -> Page:
        """Return a page of the entries that a filter finds.

        :param cursor: where the page before ended. What is appended meanwhile moves no page.
        :param limit: how many entries at most.
        :param order: by ``seq``, from the newest or from the oldest one on.
        """
        try:
            return self._page(wanted, cursor, limit, order)
        except Misfit:
            self.store.rebuild()
        try:
            return self._page(wanted, cursor, limit, order)
        except Misfit as misfit:
            raise BrokenLog(f"{self.store.name} changes while it is read: {misfit}") from None

    def _page(self, wanted: Filter, cursor: int | None, limit: int, order: Order) -> Page:
        values: dict[str, Any] = {"limit": limit + 1}
        where = ""
        if cursor is not None:
            values["cursor"] = cursor
            where = f"WHERE seq {'<' if order == 'newest' else '>'} :cursor"
        direction = "DESC" if order == "newest" else "ASC"
        sql = f"SELECT seq FROM found {where} ORDER BY seq {direction} LIMIT :limit"  # noqa: S608
        seqs = [seq for (seq,) in self._ask(sql, wanted, values, reads=("seq",))]
        page = seqs[:limit]
        entries = [
            AuditEntry(body, hash, signature)
            for _, body, hash, signature in (self.store.records(page) if page else ())
        ]
        for entry in entries:
            if not wanted.matches(entry):  # an index may say what it likes
                raise Misfit(f"entry {entry.seq} is not one {wanted.words()}")
        return Page(entries, page[-1] if len(seqs) > limit else None)

    def every(
        self, wanted: Filter = ANY, *, limit: int | None = None, order: Order = "oldest"
    ) -> Iterator[AuditEntry]:
        """Yield all entries that a filter finds, page by page.

        :param limit: stop after so many.
        """
        cursor, left = None, limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            found, cursor = self.entries(wanted, cursor=cursor, limit=size, order=order)
            yield from found
            left = None if left is None else left - len(found)
            if cursor is None:
                return

    def facets(
        self, wanted: Filter = ANY, *, columns: Sequence[str] = FACETS, limit: int = 10
    ) -> dict[str, list[tuple[Any, int]]]:
        """Return the most frequent values in some columns, each with how many entries have it.

        :param columns: of :data:`~chained_logging.review.conditions.FOUND`.
        :param limit: how many values of a column.
        """
        return {
            column: [
                (value, int(count))
                for value, count in self._ask(
                    f"SELECT {column}, count(*) FROM found WHERE {column} IS NOT NULL"  # noqa: S608
                    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :limit",
                    wanted,
                    {"limit": limit},
                    reads=(column,),
                )
            ]
            for column in map(_column, columns)
        }

    def histogram(self, wanted: Filter = ANY) -> dict[str, dict[str, int]]:
        """Return how many entries a filter finds on each day (in UTC), by their result."""
        days: dict[str, dict[str, int]] = {}
        day_and_result = "substr(timestamp, 1, 10), result"
        sql = f"SELECT {day_and_result}, count(*) FROM found GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608
        for day, result, count in self._ask(sql, wanted, reads=("timestamp", "result")):
            days.setdefault(day, {})[result] = int(count)
        return days

    def ask(self, name: str, wanted: Filter = ANY) -> Answer:
        """Return the answer to a named question, about the entries that a filter finds.

        :param name: of :data:`chained_logging.review.questions.NAMES`.
        :raises ValueError: if there is no such question, or the filter lacks a field it needs.
        """
        asked = question(name)
        if asked.needs is not None and not getattr(wanted, asked.needs):
            raise ValueError(f"{name} is about one {asked.needs}: give --{asked.needs}")
        return self.table(asked.sql, narrowed(wanted, asked.narrowed))

    def _ask(
        self,
        sql: str,
        wanted: Filter,
        values: dict[str, Any] | None = None,
        *,
        reads: Sequence[str],
    ) -> list[tuple[Any, ...]]:
        return self.table(sql, wanted, values, reads).rows

    def table(
        self,
        sql: str,
        wanted: Filter = ANY,
        values: dict[str, Any] | None = None,
        reads: Sequence[str] | None = None,
    ) -> Answer:
        """Return the answer to a query of our own, which selects from ``found``.

        :param sql: what SQLite and PostgreSQL answer alike.
        :param values: its parameters; in the text they are ``:name``.
        :param reads: the columns of ``found`` that it reads; None for any.
        """
        return self.store.table(sql, wanted, {} if values is None else values, reads)


def _column(name: str) -> str:
    if name not in FOUND:
        raise ValueError(f"must be one of {', '.join(FOUND)}, not {name!r}")
    return name
