"""Alerts: whether somebody looks, whether somebody is told, and whether somebody answers."""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.review.alerts.alert import DELIVER
from chained_logging.review.alerts.book import Book
from chained_logging.review.alerts.position import PositionFile
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject, age
from chained_logging.review.filter import ANY
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.overview import own_entries

FRESH: Final = dt.timedelta(days=1)
"""What detectors have not looked at must be younger, and so must an alert that nobody took."""


def detection(subject: Subject, _: int = 0) -> Found:
    """Whether detectors looked at all but the newest entries."""
    path = subject.written_here
    if path is None:
        return unseen(
            "how far detectors looked is kept on the machine that writes the log",
            mend="run chained-logging checklist there",
        )
    mend = f"chained-logging alerts {subject.given} --follow"
    positions = PositionFile(path).read()
    if not positions:
        seen = saw("detectors that looked at the log", f"{path}.alerts", "none")
        return not_met("no detector looked at the log", mend, seen)
    return joined([_looked(subject, name, *head, mend) for name, head in positions.items()])


def _looked(subject: Subject, name: str, seq: int, hash: str, mend: str) -> Found:
    seen = saw(f"{name} looked up to entry", f"{subject.name}.alerts", seq)
    entry = subject.entry(seq)
    if entry is None or entry.hash != hash:
        return not_met(f"the detector {name} looked at another log", mend, seen)
    late = subject.age_of(seq + 1)
    if late is not None and late > FRESH:
        length = spoken_length(late)
        return not_met(f"the first entry that {name} did not look at is {length} old", mend, seen)
    return met(f"detectors look at the log: {name}", seen)


def delivery(subject: Subject, _: int = 0) -> Found:
    """Whether alerts reach somebody."""
    book = _book(subject)
    newest = _taken(subject, book)
    said = f"{spoken(newest.timestamp)} to {newest.context.get('target')}" if newest else "none"
    seen = (
        saw("alerts that were raised", subject.name, f"{len(book.alerts):,}"),
        saw("the newest that a target took", subject.name, said),
        saw("alerts that a target did not take", subject.name, len(book.failed)),
    )
    mend = f"chained-logging alerts {subject.given} --to TARGET, or set alert_to: docs/alerts.md"
    if book.failed:
        targets = ", ".join(sorted({target for _, target in book.failed}))
        return not_met(f"{targets} did not take alerts", mend, *seen)
    if newest:
        return met(f"alerts are delivered, the last one {said}", *seen)
    if any(age(alert.raised) > FRESH for alert in book.alerts.values()):
        return not_met("alerts were raised, and delivered to nobody", mend, *seen)
    return unseen("no alert was delivered yet, so that was not seen to work", *seen, mend=mend)


def _taken(subject: Subject, book: Book) -> AuditEntry | None:
    """Return the newest entry that says that a target took one of the alerts."""
    every = subject.engine.every(own_entries(ANY, DELIVER), order="newest")
    return next((one for one in every if one.context.get("alert") in book.alerts), None)


def answered(subject: Subject, days: int = 7) -> Found:
    """Whether somebody acknowledged each alert that is older than some days."""
    book = _book(subject)
    late = [one for one in book.open() if age(one.raised) > dt.timedelta(days=days)]
    seen = (
        saw("alerts that were raised", subject.name, f"{len(book.alerts):,}"),
        saw(f"of them older than {days} days and open", subject.name, f"{len(late):,}"),
    )
    if late:
        return not_met(
            f"alerts that nobody acknowledged in {days} days: {len(late):,}",
            f"chained-logging acknowledge {subject.given} {late[0].seq} --reason TEXT",
            *seen,
        )
    if not book.alerts:
        return unseen("no alert was raised yet, so none had to be acknowledged", *seen)
    return met(f"no alert is open for more than {days} days", *seen)


def _book(subject: Subject) -> Book:
    book = Book()
    book.read(subject.engine)
    return book
