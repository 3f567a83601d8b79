"""Months that are moved to an archive, by the function ``archive`` of ``schema.sql``.

It checks what the database can check: that the month has ended, that no hold covers what goes, and
that what is about the log stays. That the archive has the entries is checked before it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chained_logging.ship.destination import Archived, Month
from chained_logging.ship.postgres.connection import Session

_ADVICE: Final = "grant chained_logging_retention"
_PAGE: Final = 50_000
_ARCHIVED: Final = """
    SELECT first, last, archive, file, sha256, login FROM chained_logging.archived
    WHERE origin = %s ORDER BY first, last, since
"""
_NEXT: Final = """
    SELECT extract(year FROM found)::int, extract(month FROM found)::int FROM (
      SELECT min("timestamp") AT TIME ZONE 'UTC' AS found FROM chained_logging.entries
      WHERE origin = %s AND "timestamp" >= %s::timestamptz AND "timestamp" < %s::timestamptz
    ) AS earliest WHERE found IS NOT NULL
"""
_OF_MONTH: Final = """
    SELECT seq FROM chained_logging.entries
    WHERE origin = %s AND seq > %s AND "timestamp" >= %s::timestamptz
      AND "timestamp" < %s::timestamptz
    ORDER BY seq LIMIT %s
"""
_LET_GO: Final = b"SELECT chained_logging.archive(%s, %s::timestamptz, %s, %s, %s, %s, %s)"
_FIRST: Final = Month(1, 1)


def archived(session: Session, origin: str) -> list[Archived]:
    """Return what was moved to an archive, by number."""
    return [Archived(*row) for row in session.rows(_ARCHIVED, (origin,))]


def months(session: Session, origin: str, before: Month) -> Iterator[Month]:
    """Yield the months before one of which entries are there, in order."""
    after = _FIRST
    while rows := session.rows(_NEXT, (origin, after.begins, before.begins)):
        month = Month(*rows[0])
        yield month
        after = month.next


def of_month(session: Session, origin: str, month: Month) -> Iterator[int]:
    """Yield the numbers of a month's entries, in order."""
    last, span = -1, (month.begins, month.next.begins)
    while rows := session.rows(_OF_MONTH, (origin, last, *span, _PAGE)):
        yield from (seq for (seq,) in rows)
        last = rows[-1][0]


def let_go(
    session: Session, origin: str, month: Month, span: tuple[int, int], where: tuple[str, str, str]
) -> int:
    """Remove entries of a month that an archive has, in one transaction, and return how many.

    :param span: the first and the last.
    :param where: the archive, the file, and its SHA-256.
    :raises Refused: if the login may not, or the month has not ended.
    :raises DestinationError: if the database cannot be asked now.
    """
    with session.asking(_ADVICE) as connection, connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")  # as long as there are entries
        row = connection.execute(_LET_GO, (origin, month.begins, *span, *where)).fetchone()
    return int(row[0]) if row else 0
