"""The log is the memory of its alerts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from chains import EVENT
from findings import finding

from chained_logging import AuditLog
from chained_logging.review.alerts.alert import (
    ACKNOWLEDGE,
    DELIVER,
    RAISE,
    SUPPRESS,
    UNDELIVERED,
    context_of,
)
from chained_logging.review.alerts.book import Book
from chained_logging.review.opening import open_log

NOW = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)


def moment(hour: float) -> str:
    when = dt.datetime(2026, 3, 2, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def book_with(path: Path, *raised: object) -> Book:
    book = Book()
    with AuditLog(path) as log:
        for one in raised:
            book.add(log.note(RAISE, **context_of(one)))  # type: ignore[arg-type]
    return book


@pytest.mark.parametrize(
    ("first", "last", "known"),
    [
        (10, 10, True),  # the same
        (12, 13, True),  # goes on
        (33.9, 33.9, True),  # within a day
        (34.1, 35, False),  # a day later
        (0, 9, False),  # before it
        (0, 50, True),  # all of it, when the log is looked at once more
    ],
)
def test_a_finding_belongs_to_an_alert_that_is_near(
    path: Path, first: float, last: float, known: bool
) -> None:
    book = book_with(path, finding(first=moment(10), last=moment(10)))
    found = finding(first=moment(first), last=moment(last))
    assert (book.known(found) is not None) == known


@pytest.mark.parametrize("change", [{"rule": "another"}, {"subject": "bob"}], ids=str)
def test_another_rule_or_subject_is_another_alert(path: Path, change: dict[str, object]) -> None:
    book = book_with(path, finding())
    assert book.known(finding(**change)) is None


def test_a_suppression_ends(path: Path) -> None:
    book = Book()
    with AuditLog(path) as log:
        book.add(log.note(SUPPRESS, rule="a-rule", until="2026-03-03T00:00:01.000000Z"))
    assert book.is_suppressed(finding(), NOW)
    assert not book.is_suppressed(finding(rule="other"), NOW)
    assert not book.is_suppressed(finding(), NOW + dt.timedelta(seconds=1))


def test_a_suppression_about_one_subject_is_about_no_other(path: Path) -> None:
    book = Book()
    with AuditLog(path) as log:
        until = "2027-01-01T00:00:00.000000Z"
        book.add(log.note(SUPPRESS, rule="a-rule", subject="ann", until=until))
    assert book.is_suppressed(finding(), NOW)
    assert not book.is_suppressed(finding(subject="bob"), NOW)


def test_what_was_delivered_is_not_delivered_to_that_target_again(path: Path) -> None:
    book = book_with(path, finding())
    (alert,) = book.open()
    since = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    with AuditLog(path) as log:
        book.add(log.note(UNDELIVERED, alert=alert.seq, target="mail"))
        assert list(book.undelivered("mail", since)) == [alert]
        assert book.failed == {(alert.seq, "mail")}
        book.add(log.note(DELIVER, alert=alert.seq, target="mail"))
    assert list(book.undelivered("mail", since)) == []
    assert list(book.undelivered("chat", since)) == [alert]
    assert book.failed == set()


def test_an_acknowledged_alert_is_not_open(path: Path) -> None:
    book = book_with(path, finding())
    with AuditLog(path) as log:
        book.add(log.note(ACKNOWLEDGE, on_behalf_of="eve", reason="a drill", alert=1))
    assert book.open() == []
    assert book.acknowledged[1].who == "eve"


def test_only_the_logs_own_entries_count(path: Path) -> None:
    with AuditLog(path) as log:
        log.append(RAISE, **(EVENT | {"context": context_of(finding())}))
        log.append(SUPPRESS, **(EVENT | {"context": {"rule": "a-rule", "until": moment(99)}}))
        log.note(RAISE, **context_of(finding(subject="bob")))
    book = Book()
    with open_log(str(path)) as engine:
        book.read(engine)
    assert [alert.finding.subject for alert in book.open()] == ["bob"]
    assert book.suppressed == {}


def test_a_malformed_entry_is_passed_over(path: Path) -> None:
    book = Book()
    with AuditLog(path) as log:
        for action in (RAISE, SUPPRESS, ACKNOWLEDGE, DELIVER):
            book.add(log.note(action, alert=[], rule={}, until=3, subject=[], target=None))
    assert book.open() == []


def test_alerts_of_another_log_are_its_own(path: Path) -> None:
    book, other = Book(), Book("other.db")
    with AuditLog(path) as log:
        entry = log.note(RAISE, **context_of(finding()), log="other.db")
    book.add(entry)
    other.add(entry)
    assert (len(book.alerts), len(other.alerts)) == (0, 1)
