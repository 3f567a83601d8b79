"""The overview as a page: the verdict first, then a period."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Iterator
from typing import Final

from chained_logging.errors import LogError
from chained_logging.review.charts import chart
from chained_logging.review.filter import Filter
from chained_logging.review.overview import Number, Overview, newest_event, own_entries
from chained_logging.review.overview import Reading as Read
from chained_logging.review.period import Period
from chained_logging.review.query import Engine
from chained_logging.review.questions import question
from chained_logging.review.reading import READ, Reading
from chained_logging.review.verdict import Verdict
from chained_logging.review.viewer.links import Asked, Misasked
from chained_logging.review.viewer.pages import Page, View, purged_there

DAYS: Final = (7, 30, 90, 365)
"""The periods that can be chosen, in days up to the newest event."""
_FRESH: Final = 1.0  # seconds for which a count is one of now
_FIELD: Final = {"actors": "actor_id", "resources": "resource_id", "changes": "changed_fields"}
"""What a number is made of, so that who may not see that does not see the number."""
_NAMES: Final = {
    "entries": "entries",
    "actors": "people and programs that acted",
    "resources": "resources touched",
    "failures": "attempts that failed or were denied",
    "changes": "changes",
    "exports": "exports, downloads and prints",
}
_ASKED: Final = {
    "entries": Filter(),
    "failures": question("failed-attempts").narrowed,
    "exports": question("exports").narrowed,
}
"""The filters that find what some of the numbers count."""
_PENDING: Final = Verdict("pending", "The log is being checked: this page loads again by itself")


def overview_page(view: View, asked: Asked) -> Page:
    """Return the overview of a period, or what keeps the entries from being shown."""
    verdict = _PENDING if view.checked is None else view.checked.verdict
    found: Overview | None = None
    choices: list[tuple[str, str, bool]] = []
    problem, counted = None, 0.0
    gone: list[str] = []
    try:
        with view.opened.engine(view.access) as engine:
            newest = newest_event(engine)
            period = _period(engine, asked.wanted, newest)
            overviews = view.opened.overviews
            made = overviews.overview(engine, view.access, verdict, period)
            found, counted = made or (None, time.time())
            choices = list(_choices(view, newest, period))
            gone = purged_there(view, engine, period.within())
    except Misasked:
        raise
    except (LogError, OSError, ValueError) as error:
        problem = str(error) if view.access.whole else "the log cannot be read"
    shown = len(found.readings) if found else 0
    data = {
        "verdict": verdict if view.access.tenants is None else _for_tenants(verdict),
        "at": None if view.checked is None else _utc(view.checked.at),
        "counted": _utc(counted) if time.time() - counted > _FRESH else None,
        "found": found,
        "problem": problem,
        "waits": verdict is _PENDING or not (found or problem),
        "choices": choices,
        "purged": gone,
        "numbers": [] if found is None else list(_numbers(view, found)),
        "chart": chart({} if found is None else found.days),
        "news": {} if found is None else _news(view, found),
        "readers": view.access.whole,
        "readings": [] if found is None else [(one, _which(one)) for one in found.readings],
        "asked_reading": own_entries(Filter(), READ),
    }
    wanted = Filter() if found is None else found.period.within()
    return Page(Reading("view overview", wanted, shown), "overview.html", data)


def _period(engine: Engine, wanted: Filter, newest: dt.datetime) -> Period:
    """Return the period that is asked for.

    :raises Misasked: if something else is asked for, or it ends before it begins.
    """
    latest = Period.ending(newest)
    if wanted.narrowed(since=None, until=None) != Filter():
        raise Misasked("the overview is of a period: it takes since and until alone")
    if wanted.since is None and wanted.until is None:
        return latest
    until = wanted.until or max(latest.until, Period.ending(dt.datetime.now(dt.UTC)).until)
    try:
        return Period(wanted.since or engine.scope().earliest or latest.since, until)
    except ValueError as problem:
        raise Misasked(str(problem)) from None


def _utc(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)


def _choices(view: View, last: dt.datetime, period: Period) -> Iterator[tuple[str, str, bool]]:
    """Yield the periods to choose: what each is called, its address, whether it is this one."""
    for days in DAYS:
        choice = Period.ending(last, days)
        link = view.links.overview(choice.since, choice.until)
        yield f"{days} days", link, choice == period


def _numbers(view: View, found: Overview) -> Iterator[tuple[Number, str, str | None]]:
    """Yield the numbers, what each counts, and the address of those entries."""
    for number in found.numbers:
        if _FIELD.get(number.name) in view.access.hidden:
            continue
        wanted = _ASKED.get(number.name)
        link = None if wanted is None else view.links.entries(found.period.within(wanted))
        yield number, _NAMES[number.name], link


def _which(reading: Read) -> str:
    """Return in words which entries were read. Whatever the entry says, it is only shown."""
    try:
        return Filter.parse(reading.filter).words()
    except ValueError:
        return reading.filter


def _news(view: View, found: Overview) -> dict[str, object]:
    news = found.news or {}
    return {column: new for column, new in news.items() if column not in view.access.hidden}


def _for_tenants(verdict: Verdict) -> Verdict:
    """Return a verdict without what it tells of the entries of others."""
    headline = {
        "intact": verdict.headline,
        "tampered": "Tampered with: the chain has faults",
        "incomplete": "Incomplete: entries are missing",
        "pending": verdict.headline,
    }.get(verdict.status, "Not checked")
    return dataclasses.replace(verdict, headline=headline, sentences=(), faults=(), gaps=())
