"""What people and timers do with a log: tests of backups, standing verification.

Each leaves entries. What is configured and left none was not seen to work.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.review.checklist.answer import Found, Status, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject, age
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.overview import own_entries

BACKUPS: Final = ("backup.make", "backup.test")
WATCHES: Final = ("watch.verify",)
_BACKUP: Final = 31  # days, at most, since a backup was made
_GOOD: Final = frozenset({"success", "intact", True})


def watched(subject: Subject, days: int = 1) -> Found:
    """Whether the log verified itself lately, and found itself intact."""
    newest = _newest(subject, own_entries(ANY, *WATCHES))
    mend = f"chained-logging watch {subject.given}"
    return _recent(subject, newest, days, "a verification by watch", mend)


def backed_up(subject: Subject, days: int = 92) -> Found:
    """Whether a backup apart from the log was restored and compared with it lately."""
    make, test = BACKUPS
    newest = _newest(subject, own_entries(ANY, test))
    mend = f"chained-logging backup-test {subject.given} DESTINATION"
    found = _recent(subject, newest, days, "a test of a backup", mend)
    if newest is None or found.status is Status.NOT_MET:
        return found
    destination = _context(newest).get("destination")
    if not isinstance(destination, str):
        return unseen(f"entry {newest.seq:,} does not say which backup was tested", *found.seen)
    return joined([_apart(subject, newest, found), _made(subject, destination, make)])


def _made(subject: Subject, destination: str, action: str) -> Found:
    """Return whether a backup was made lately, and apart from the log."""
    made = (
        entry
        for entry in subject.engine.every(own_entries(ANY, action), order="newest")
        if _context(entry).get("destination") == destination
    )
    newest, mend = next(made, None), f"chained-logging backup {subject.given} DESTINATION"
    found = _recent(subject, newest, _BACKUP, f"a backup in {destination}", mend)
    return found if newest is None else _apart(subject, newest, found)


def _apart(subject: Subject, entry: AuditEntry, found: Found) -> Found:
    """Return what was found, unless the entry says that the backup is not apart from the log, or
    that this could not be seen."""
    why, remarks = (_context(entry).get(name) for name in ("same_place", "remarks"))
    if found.status is Status.NOT_MET or not (why or remarks):
        return found
    if not why:
        said = "; ".join(map(str, remarks)) if isinstance(remarks, list) else str(remarks)
        return unseen(f"the backup left a remark: {said}", *found.seen)
    return not_met(
        f"the backup would be lost together with the log: {why}",
        f"chained-logging backup {subject.given} DESTINATION, on another disk, server or account",
        *found.seen,
        saw("what the backup shares with the log", f"{subject.name}, entry {entry.seq:,}", why),
    )


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
