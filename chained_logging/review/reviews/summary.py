"""What a reviewer is shown, and signs: the period in figures, open alerts, who read the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chained_logging.review.alerts.book import Book
from chained_logging.review.overview import Overview
from chained_logging.text import printable

_LISTED: Final = 10
_SHOWN: Final = 200  # characters of a value that others chose, so that the entry has room for all
_LABELS: Final = {
    "entries": "entries",
    "actors": "people and programs that acted",
    "resources": "resources touched",
    "failures": "attempts that failed or were denied",
    "changes": "changes",
    "exports": "exports, downloads and prints",
}
_NEW: Final = {
    "actor_id": "new actors",
    "ip_address": "new addresses",
    "resource_type": "new resource types",
}


def summary(found: Overview, book: Book) -> dict[str, Any]:
    """Return the summary of a period, as the entry that begins its review holds it.

    :param found: the period.
    :param book: the alerts of the log.
    """
    raised = [one for one in book.alerts.values() if _within(one.raised, found)]
    return {
        "since": found.period.since,
        "until": found.period.until,
        "verdict": found.verdict.headline[:_SHOWN],
        "numbers": {number.name: number.now for number in found.numbers},
        "before": {number.name: number.before for number in found.numbers},
        "incomplete": found.coverage.incomplete,
        "silences": found.coverage.silence_count,
        "clock_steps": found.coverage.step_count,
        "new": {
            column: {
                "count": news.count,
                "values": [one.value[:_SHOWN] for one in news.values[:_LISTED]],
            }
            for column, news in (found.news or {}).items()
        },
        "readers": {reader.who[:_SHOWN]: reader.readings for reader in found.readers[:_LISTED]},
        "alerts": {"raised": len(raised), "open": [alert.seq for alert in book.open()][-_LISTED:]},
        "alerts_open": len(book.open()),
    }


def lines(drawn: dict[str, Any]) -> list[str]:
    """Return a summary as lines for people. What others wrote cannot steer a terminal.

    If another program wrote the summary, and in another form, the only line says so.
    """
    try:
        return list(_lines(drawn))
    except (AttributeError, KeyError, TypeError, ValueError):
        return ["The entry that began this review holds no summary of ours."]


def _lines(drawn: dict[str, Any]) -> Iterator[str]:
    yield f"Period:   {drawn['since'][:16]}Z to {drawn['until'][:16]}Z"
    yield f"Verdict:  {drawn['verdict']}"
    for name, label in _LABELS.items():
        before = drawn["before"].get(name)
        then = "" if before is None else f" ({before:,} in the period before)"
        yield f"{drawn['numbers'].get(name, 0):>9,}  {label}{then}"
    yield f"{drawn['incomplete']:>9,}  entries that lack a field"
    yield f"{drawn['silences']:>9,}  silences of more than a day"
    yield f"{drawn['clock_steps']:>9,}  steps back of a clock"
    yield f"{drawn['alerts']['raised']:>9,}  alerts raised, {drawn['alerts_open']:,} open in all"
    for column, label in _NEW.items():
        if column in drawn["new"]:
            yield _news(label, drawn["new"][column])
    for who, count in drawn["readers"].items():
        yield f"{count:>9,}  readings of the log by {printable(who)}"


def _news(label: str, news: dict[str, Any]) -> str:
    values = ", ".join(printable(str(value)) for value in news["values"])
    more = ", …" if news["count"] > len(news["values"]) else ""
    return f"{news['count']:>9,}  {label}{': ' if values else ''}{values}{more}"


def _within(moment: str, found: Overview) -> bool:
    return found.period.since <= moment < found.period.until
