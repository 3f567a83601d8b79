"""Removing what a log's own decisions name, by the functions of ``schema.sql``.

They check again what the database can check: the policy of the decision, and the holds. That the
log's key signed the decision is checked before :func:`approve` is called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from chained_logging.errors import DestinationError
from chained_logging.ship.postgres.connection import Session

_ADVICE: Final = "grant chained_logging_retention"
_BATCH: Final = 5_000
_ANY: Final = """
    SELECT EXISTS (
      SELECT FROM unnest(%s::bigint[], %s::bigint[]) AS named (first, last)
      CROSS JOIN LATERAL (
        SELECT FROM chained_logging.entries AS e
        WHERE e.origin = %s AND e.seq BETWEEN first AND last LIMIT 1) AS found)
"""
_PURGE: Final = "SELECT removed, reached FROM chained_logging.purge(%s, %s, %s, %s)"
_REMAINS: Final = "SELECT month FROM chained_logging.remains ORDER BY month"
_UNFOUNDED: Final = """
    WITH ours AS (
      SELECT seq, action FROM chained_logging.entries
      WHERE origin = %(origin)s AND action = ANY ('{retention.apply,hold.add,hold.release}')
        AND actor_id = 'chained_logging' AND actor_type = 'system')
    SELECT 'holds no longer has the hold of entry ' || seq FROM ours
    WHERE action = 'hold.add'
      AND NOT EXISTS (SELECT FROM chained_logging.holds AS h
        WHERE h.origin = %(origin)s AND h.seq = ours.seq)
    UNION ALL
    SELECT 'lifts ends the hold of entry ' || hold || ', which no entry does'
    FROM chained_logging.lifts WHERE origin = %(origin)s
      AND NOT EXISTS (SELECT FROM ours WHERE seq = by AND action = 'hold.release')
    UNION ALL
    SELECT 'purges has a range from entry ' || first || ', which no entry names'
    FROM chained_logging.purges WHERE origin = %(origin)s
      AND NOT EXISTS (SELECT FROM ours WHERE seq = by AND action = 'retention.apply')
"""


def any_of(session: Session, origin: str, ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether any entry of some ranges is still there."""
    pairs = list(ranges)  # of a decision that names nothing, none
    firsts, lasts = [first for first, _ in pairs], [last for _, last in pairs]
    return bool(session.rows(_ANY, (firsts, lasts, origin))[0][0])


def approve(session: Session, origin: str, seq: int) -> None:
    """Make a decision count in the database.

    :raises Refused: if the login may not, or the decision does not hold.
    :raises DestinationError: if the database cannot be asked now.
    """
    with session.asking(_ADVICE) as connection:
        connection.execute(b"SELECT chained_logging.approve(%s, %s)", (origin, seq))


def purge(session: Session, origin: str, seq: int) -> Iterator[int]:
    """Remove what an approved decision names, and yield after each batch how many went.

    A batch is a transaction: after a kill, the next call goes on.

    :raises: as :func:`approve`.
    """
    after: int | None = -1
    while after is not None:
        with session.asking(_ADVICE) as connection:
            row = connection.execute(_PURGE.encode(), (origin, seq, after, _BATCH)).fetchone()
        assert row is not None  # noqa: S101 -- a function returns a row
        removed, after = row
        yield removed


def give_back(session: Session) -> Iterator[tuple[str, bool]]:
    """Write each partition again that lost entries, or drop it, and yield its name and whether
    nothing removed is left in it.

    :raises: as :func:`approve`.
    """
    for (month,) in session.rows(_REMAINS):
        clean = False
        with contextlib.suppress(DestinationError), session.asking(_ADVICE) as connection:
            with connection.transaction():
                connection.execute("SET LOCAL statement_timeout = 0")  # as long as there are rows
                row = connection.execute(b"SELECT chained_logging.compact(%s)", (month,)).fetchone()
            clean = row == (True,)
        yield month, clean


def unfounded(session: Session, origin: str) -> list[str]:
    """Return in sentences which rows about removal differ from the log's entries."""
    return [reason for (reason,) in session.rows(_UNFOUNDED, {"origin": origin})]
