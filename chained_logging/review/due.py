"""What waits for somebody: open alerts, and reviews that are overdue."""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.config import ConfigError, reviewing
from chained_logging.review.alerts.alert import Alert
from chained_logging.review.alerts.book import Book
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.overview import Due
from chained_logging.review.query import Engine
from chained_logging.review.reviews.desk import register_of
from chained_logging.review.reviews.register import Overdue
from chained_logging.review.reviews.schedule import Every

SHOWN: Final = 50
"""How many open alerts are listed, the newest."""


def due(
    engine: Engine, every: Every | None = None, now: dt.datetime | None = None
) -> tuple[Due, ...] | None:
    """Return what waits for somebody in a log: overdue reviews, then the newest open alerts.

    Emergency accesses are not looked for, which can take long: ``review list`` does.

    :param every: which periods are to be reviewed; None for none.
    :param now: the time; None for the clock's.
    :returns: None if no alert was ever raised, and no periods are to be reviewed.
    """
    book = Book()
    book.read(engine)
    if not book.alerts and every is None:
        return None
    register, _ = register_of("", engine)
    late = register.overdue_periods(engine, every, now or dt.datetime.now(dt.UTC))
    return (*map(_review, late), *map(_open_alert, reversed(book.open()[-SHOWN:])))


def configured() -> Every | None:
    """Return which periods are to be reviewed, as the configuration says; None for none."""
    try:
        return reviewing().get("every")
    except ConfigError:  # opening a log says so
        return None


def _review(late: Overdue) -> Due:
    return Due(late.title, late.since, ANY)


def _open_alert(alert: Alert) -> Due:
    found = alert.finding
    return Due(f"{found.severity}: {found.sentence}", alert.raised, Filter(id=(alert.id,)))
