"""What the log's own entries say: that it records, in full, and who read it."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import Final

from chained_logging.review.archive.moved import LastMoved
from chained_logging.review.checklist.answer import Found, Seen, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject, age, before
from chained_logging.review.coverage import coverage, hours
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.overview import OWN, own_entries
from chained_logging.review.period import Period, instant
from chained_logging.review.reading import READ

RECENT: Final = 92
"""Days of entries that are looked at: a quarter."""
QUIET: Final = dt.timedelta(hours=25)
"""A longer silence is not explained by a heartbeat a day."""
_CALLERS: Final = f"SELECT count(*) FROM found WHERE NOT {OWN}"  # noqa: S608 -- names from here
_HEARTBEAT: Final = "set heartbeat = 3600 in chained-logging.toml"
_FIELDS: Final = (
    "see which: chained-logging query {log} --incomplete; pass the missing fields where the event "
    "is logged, or set strict = true"
)


def fields(subject: Subject, days: int = RECENT) -> Found:
    """Whether entries have all required fields."""
    wanted = Filter(since=before(dt.timedelta(days=days)))
    ((callers,),) = subject.engine.table(_CALLERS, wanted).rows
    lacking = subject.engine.count(wanted.narrowed(incomplete=True))
    period = f"{subject.name}, the last {days} days"
    seen = (
        saw("entries that programs logged", period, f"{callers:,}"),
        saw("entries with a missing or invalid field", period, f"{lacking:,}"),
    )
    if lacking:
        verb = "entry lacks" if lacking == 1 else "entries lack"
        mend = _FIELDS.format(log=subject.given)
        return not_met(f"{lacking:,} {verb} a required field, or have a wrong one", mend, *seen)
    if not callers:
        return not_met(
            f"no program logged anything in {days} days",
            "add a handler, a processor or a middleware: docs/tutorial.md",
            *seen,
        )
    return met("every entry has all required fields", *seen)


def recording(subject: Subject, days: int = 31) -> Found:
    """Whether the log records without a long silence, up to now."""
    engine, now = subject.engine, dt.datetime.now(dt.UTC)
    scope = engine.scope()
    where = f"{subject.name}, the last {days} days"
    if scope.latest is None:
        return not_met("the log has no entries", _HEARTBEAT, saw("entries", subject.name, 0))
    period = Period(before(dt.timedelta(days=days)), before(dt.timedelta()))
    found = hours(engine, period.within())
    silences = coverage(engine, period, found, scope, silence=QUIET).silences
    since = now - instant(scope.latest)
    seen = (
        saw("the newest entry", subject.name, spoken(scope.latest)),
        saw(f"silences of more than {spoken_length(QUIET)}", where, len(silences)),
    )
    if since > QUIET:
        return not_met(f"nothing was recorded for {spoken_length(since)}", _HEARTBEAT, *seen)
    if silences:
        longest = silences[0]
        length = spoken_length(longest.length)
        return not_met(
            f"nothing was recorded for {length} from {spoken(longest.since)} on: the log cannot "
            "say whether it was stopped",
            _HEARTBEAT,
            *seen,
        )
    return met(f"no silence of more than {spoken_length(QUIET)} in {days} days", *seen)


def beginnings(subject: Subject, _: int = 0) -> Found:
    """Whether the log says when it began, was reopened and was recovered."""
    first = subject.entry(0)
    again = subject.engine.count(own_entries(ANY, "log.reopen", "log.recover"))
    seen = (
        saw("entry 0", subject.name, "missing" if first is None else first.action),
        saw("entries log.reopen and log.recover", subject.name, again),
    )
    if first is None or first.action != "log.open":
        archive = subject.archived
        if archive is not None:
            return in_archive(subject, archive, *seen)
        return not_met(
            "the log does not begin with log.open",
            f"restore its beginning: chained-logging restore STORE {subject.given}",
            *seen,
        )
    return met("the log says when it began, and each time that it was reopened", *seen)


def in_archive(subject: Subject, front: LastMoved, *seen: Seen) -> Found:
    """Return that the front of the log is in an archive, which was not looked at."""
    return unseen(
        f"entries up to {front.last_seq:,} were moved to the archive {front.archive}, which was "
        "not looked at",
        *seen,
        mend=f"chained-logging verify {subject.given} --archive {shlex.quote(front.archive)}",
    )


def counted(subject: Subject, wanted: Filter, what: str, example: str, days: int) -> Found:
    """Return whether a log holds entries of a kind at all."""
    wanted = wanted.narrowed(since=before(dt.timedelta(days=days)))
    count = subject.engine.count(wanted)
    seen = saw(what, f"{subject.name}, the last {days} days", f"{count:,}")
    if not count:
        return unseen(
            f"{what}: none in {days} days, so it was not seen to work", seen, mend=example
        )
    return met(f"{what}: {count:,} in {days} days", seen)


def refusals(subject: Subject, days: int = RECENT) -> Found:
    """Whether denied and failed attempts are in the log."""
    example = "log refused attempts with result=denied or failure: docs/web.md"
    wanted = Filter(result=("denied", "failure"))
    return counted(subject, wanted, "entries with the result denied or failure", example, days)


def administrators(subject: Subject, days: int = RECENT) -> Found:
    """Whether what administrators do is in the log."""
    example = "log what administrators do with actor_type=admin: docs/guide/django.md"
    wanted = Filter(actor_type=("admin",))
    return counted(subject, wanted, "entries of actors of the type admin", example, days)


def reads(subject: Subject, days: int = RECENT) -> Found:
    """Whether reading the log is recorded, and must be."""
    wanted = own_entries(Filter(since=before(dt.timedelta(days=days))), READ)
    newest = subject.engine.entries(wanted, limit=1).entries
    where = f"{subject.name}, the last {days} days"
    seen = [
        saw(
            "the newest entry that says who read the log",
            where,
            f"{spoken(newest[0].timestamp)} by {newest[0].on_behalf_of}" if newest else "none",
        )
    ]
    if subject.written_here is None:
        return unseen(
            "whether readings must be recorded is configured on the machine that writes the log",
            *seen,
            mend="run chained-logging checklist there",
        )
    required = subject.settings.get("recorded") is True
    seen.append(saw("require_recorded_reads", "the configuration", str(required).lower()))
    if not required:
        return not_met(
            "a reading that cannot be recorded is not refused",
            "set require_recorded_reads = true in chained-logging.toml",
            *seen,
        )
    if not newest:
        return not_met(
            f"no reading was recorded in {days} days, so it was not seen to work",
            f"chained-logging query {subject.given}",
            *seen,
        )
    return met(f"readings are recorded, the last one {_ago(newest[0].timestamp)}", *seen)


def _ago(timestamp: str) -> str:
    return f"{spoken_length(age(timestamp))} ago"
