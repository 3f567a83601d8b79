"""What waits for somebody: open alerts."""

from __future__ import annotations

from typing import Final

from chained_logging.review.alerts.alert import Alert
from chained_logging.review.alerts.book import Book
from chained_logging.review.filter import Filter
from chained_logging.review.overview import Due
from chained_logging.review.query import Engine

SHOWN: Final = 50
"""How many open alerts are listed, the newest."""


def due(engine: Engine) -> tuple[Due, ...] | None:
    """Return the open alerts of a log, the newest first; None if no alert was ever raised."""
    book = Book()
    book.read(engine)
    if not book.alerts:
        return None
    return tuple(map(_open_alert, reversed(book.open()[-SHOWN:])))


def _open_alert(alert: Alert) -> Due:
    found = alert.finding
    return Due(f"{found.severity}: {found.sentence}", alert.raised, Filter(id=(alert.id,)))
