"""What people and timers do with a log: alerts, reviews, tests of backups, standing verification.

Each leaves entries. What is configured and left none was not seen to work.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.review.checklist.answer import Found, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject, age
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.overview import own_entries

ALERTS: Final = ("alert.raise", "alert.test")
ANSWERS: Final = ("alert.acknowledge", "alert.suppress")
REVIEWS: Final = ("review.sign",)
BACKUPS: Final = ("backup.test",)
WATCHES: Final = ("watch.verify",)
_MANY: Final = 10_000  # alerts that are looked at
_GOOD: Final = frozenset({"success", "intact", "ok", "verified", True})


def alerts(subject: Subject, days: int = 31) -> Found:
    """Whether detection was seen to work: it raised an alert, or tested one."""
    newest = _newest(subject, own_entries(ANY, *ALERTS))
    return _recent(
        subject,
        newest,
        days,
        "an alert that was raised or tested",
        f"chained-logging alerts {subject.given} --follow, and raise a test alert",
    )


def answered(subject: Subject, days: int = 7) -> Found:
    """Whether somebody acknowledged or suppressed each alert that is older than some days."""
    raised = list(
        subject.engine.every(own_entries(ANY, "alert.raise"), limit=_MANY, order="newest")
    )
    answers = {
        reference
        for entry in subject.engine.every(Filter(action=ANSWERS), limit=_MANY, order="newest")
        for reference in _references(entry)
    }
    limit = dt.timedelta(days=days)
    late = [one for one in raised if age(one.timestamp) > limit and not _names(one) & answers]
    seen = (
        saw("alerts that were raised", subject.name, f"{len(raised):,}"),
        saw(f"of them older than {days} days and not acknowledged", subject.name, f"{len(late):,}"),
    )
    if late:
        return not_met(
            f"{len(late):,} alerts are older than {days} days, and nobody acknowledged them",
            f"chained-logging query {subject.given} --action alert.raise",
            *seen,
        )
    if not raised:
        return unseen("no alert was raised yet, so none had to be acknowledged", *seen)
    return met("each alert was acknowledged or suppressed", *seen)


def _names(alert: AuditEntry) -> set[str]:
    """Return what an answer may call an alert."""
    about = _context(alert)
    names = {str(alert.seq), str(alert.id), str(about.get("alert")), str(about.get("id"))}
    return names - {"None"}


def _references(answer: AuditEntry) -> set[str]:
    """Return what an answer names: its resource, and the values in its context."""
    about = [value for value in _context(answer).values() if not isinstance(value, dict)]
    flat = [item for value in about for item in (value if isinstance(value, list) else [value])]
    return {str(item) for item in (answer.resource_id, *flat)}


def watched(subject: Subject, days: int = 1) -> Found:
    """Whether the log verified itself lately, and found itself intact."""
    newest = _newest(subject, own_entries(ANY, *WATCHES))
    mend = f"chained-logging watch {subject.given}"
    return _recent(subject, newest, days, "a verification by watch", mend)


def reviewed(subject: Subject, days: int = 31) -> Found:
    """Whether somebody reviewed the log lately, and signed it."""
    newest = _newest(subject, Filter(action=REVIEWS))
    mend = f"chained-logging review start {subject.given}, then chained-logging review sign"
    return _recent(subject, newest, days, "a signed review", mend)


def backed_up(subject: Subject, days: int = 92) -> Found:
    """Whether a backup apart from the log was restored and compared with it lately."""
    newest = _newest(subject, own_entries(ANY, *BACKUPS))
    mend = f"chained-logging backup-test {subject.given} DESTINATION"
    found = _recent(subject, newest, days, "a test of a backup", mend)
    place = _apart(newest)
    if newest is None or place is None or found.mend is not None:
        return found
    return not_met(
        f"the backup is not apart from the log: {place}",
        f"chained-logging backup {subject.given} DESTINATION, on another disk or account",
        *found.seen,
    )


def _apart(entry: AuditEntry | None) -> str | None:
    """Return why a backup is not apart from the log, as the entry about its test says it."""
    same = {} if entry is None else _context(entry)
    for name in ("same_place", "same"):
        if same.get(name):
            return str(same[name])
    return None


def _newest(subject: Subject, wanted: Filter) -> AuditEntry | None:
    found = subject.engine.entries(wanted, limit=1).entries
    return found[0] if found else None


def _recent(subject: Subject, entry: AuditEntry | None, days: int, what: str, mend: str) -> Found:
    """Return whether the newest entry of a kind is recent, and says that all went well."""
    where = subject.name
    if entry is None:
        return not_met(f"the log has no entry about {what}", mend, saw(what, where, "none"))
    old = age(entry.timestamp)
    result = outcome(entry)
    who = entry.on_behalf_of or entry.actor_id
    seen = (
        saw(what, f"{where}, entry {entry.seq:,}", f"{spoken(entry.timestamp)} by {who}"),
        saw("its result", f"{where}, entry {entry.seq:,}", result),
    )
    if old > dt.timedelta(days=days):
        return not_met(
            f"the last was {spoken_length(old)} ago, and {days} days are the limit: {what}",
            mend,
            *seen,
        )
    if result not in _GOOD:
        return not_met(f"{what} went wrong: {result}", mend, *seen)
    return met(f"{what}, {spoken_length(old)} ago", *seen)


def outcome(entry: AuditEntry) -> object:
    """Return what an entry says of how it went: the entry's result, and the one in its context."""
    about = _context(entry).get("result", entry.result)
    return about if entry.result == "success" else entry.result


def _context(entry: AuditEntry) -> dict[str, object]:
    return entry.context if isinstance(entry.context, dict) else {}
