"""The page of alerts, and the form that acknowledges one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from chained_logging.review.alerts.alert import ACKNOWLEDGE, ACTIONS, Alert
from chained_logging.review.alerts.book import Book, Decision
from chained_logging.review.alerts.desk import Desk, NotHere
from chained_logging.review.detect.finding import SEVERITIES
from chained_logging.review.filter import Filter
from chained_logging.review.reading import Reading
from chained_logging.review.viewer.access import Denied
from chained_logging.review.viewer.links import Asked, Misasked
from chained_logging.review.viewer.pages import Page, View

SHOWN: Final = 50
"""Alerts of each kind on the page."""
_NAMED: Final = 10  # entries of an alert


class Shown(NamedTuple):
    """An alert, as the page shows it.

    :ivar entries: entries that it names, each with whether it can be proved.
    :ivar more: how many entries are not among them.
    :ivar among: finds the entries that it names, and those between them.
    :ivar failed: the targets that did not take it.
    :ivar decision: who dealt with it, if anybody did.
    """

    alert: Alert
    entries: list[tuple[int, bool]]
    more: int
    among: Filter | None
    failed: list[str]
    decision: Decision | None


class Suppression(NamedTuple):
    """What is not raised.

    :ivar subject: only findings about it; None for any.
    """

    rule: str
    subject: str | None
    decision: Decision


def alerts_page(view: View, asked: Asked) -> Page:
    """Return the alerts of the log, the open ones first.

    :raises Denied: if somebody asks who does not see all of the log: what is unusual is so beside
        the entries of all tenants, and an alert says it in words.
    """
    if not view.access.whole:
        raise Denied("alerts are about all of the log, and you see a part of it")
    book = Book()
    with view.opened.engine(view.access) as engine:
        book.read(engine)
    every = sorted(book.open(), key=_urgency, reverse=True)
    decided = [book.alerts[seq] for seq in reversed(book.acknowledged)]
    waiting = [_shown(view, book, alert) for alert in every[:SHOWN]]
    done = [_shown(view, book, alert) for alert in decided[:SHOWN]]
    data = {
        "waiting": waiting,
        "waiting_count": len(every),
        "done": done,
        "done_count": len(decided),
        "all_done": Filter(action=(ACKNOWLEDGE,)),
        "suppressed": list(_in_force(book)),
        "may": view.access.reviews and not view.opened.is_remote,
    }
    shown = len(waiting) + len(done)
    return Page(Reading("view alerts", Filter(action=ACTIONS), shown), "alerts.html", data)


def _urgency(alert: Alert) -> tuple[int, int]:
    """Sort the worst last, and of the same severity the newest."""
    return SEVERITIES.index(alert.finding.severity), alert.seq


def _shown(view: View, book: Book, alert: Alert) -> Shown:
    named = alert.finding.entries
    provable = -1 if view.covered is None or view.opened.is_remote else view.covered
    return Shown(
        alert,
        [(seq, seq <= provable) for seq in named[:_NAMED]],
        max(alert.finding.count, len(named)) - len(named[:_NAMED]),
        Filter(first_seq=min(named), last_seq=max(named)) if named else None,
        sorted(target for seq, target in book.failed if seq == alert.seq),
        book.acknowledged.get(alert.seq),
    )


def _in_force(book: Book) -> Iterator[Suppression]:
    """Yield the suppressions that have not ended, the newest first."""
    now = dt.datetime.now(dt.UTC)
    for (rule, subject), decision in reversed(book.suppressed.items()):
        if decision.holds(now):
            yield Suppression(rule, subject, decision)


def acknowledged(view: View, given: Mapping[str, str]) -> None:
    """Record that somebody dealt with an alert, as the form says.

    :raises Denied: if the sender may not, or the log takes no entries from the viewer.
    :raises Misasked: if a field is missing or not valid, or the alert is not open.
    """
    if not (view.access.reviews and view.access.whole):
        raise Denied("you may not acknowledge alerts of this log")
    number = given.get("alert", "")
    if not (number.isascii() and number.isdigit() and len(number) < 17):
        raise Misasked("alert must be the number of an alert")
    try:
        with Desk(view.opened.where, origin=view.opened.origin) as desk:
            desk.acknowledge(int(number), view.access.user, given.get("reason", ""))
    except NotHere as problem:
        raise Denied(str(problem)) from None
    except ValueError as problem:
        raise Misasked(str(problem)) from None
