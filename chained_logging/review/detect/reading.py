"""The entries of a log in order, whatever stores it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chained_logging.errors import BrokenLog
from chained_logging.format.record import Record
from chained_logging.review.query import Engine, Misfit

_PAGE: Final = 2_000
_SEQS: Final = "SELECT seq FROM found WHERE seq > :after AND seq <= :upto ORDER BY seq LIMIT :many"


def records(log: Engine, after: int, upto: int) -> Iterator[Record]:
    """Yield the entries with ``after < seq <= upto``, page by page. Each has its hash.

    :raises BrokenLog: if entries change while they are read.
    """
    while after < upto:
        page = _page(log, after, upto)
        if not page:
            return
        yield from page
        after = page[-1].seq


def _page(log: Engine, after: int, upto: int) -> list[Record]:
    try:
        return _asked(log, after, upto)
    except Misfit:
        log.store.rebuild()
    try:
        return _asked(log, after, upto)
    except Misfit as misfit:
        raise BrokenLog(f"{log.store.name} changes while it is read: {misfit}") from None


def _asked(log: Engine, after: int, upto: int) -> list[Record]:
    values: dict[str, Any] = {"after": after, "upto": upto, "many": _PAGE}
    seqs = [seq for (seq,) in log.table(_SEQS, values=values).rows]
    return log.store.records(seqs) if seqs else []
