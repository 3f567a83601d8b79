"""Whether entries are kept for as long as they must be."""

from __future__ import annotations

import datetime as dt
from typing import Final

from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, Seen, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import UNSEEABLE, Subject, age, before
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken
from chained_logging.review.overview import own_entries
from chained_logging.ship import Destination

APPLIED: Final = "retention.apply"
_SPAN: Final = "SELECT count(*), min(seq), max(seq) FROM found"


def kept(subject: Subject, days: int = 0) -> Found:
    """Whether no entry is missing, and a store keeps entries for a number of days.

    :param days: 0 if the standard names no period: then any period that was set will do.
    """
    whole = _whole(subject)
    if whole.mend is not None:
        return whole
    periods, seen, problems = [], list(whole.seen), []
    for url in subject.urls:
        try:
            with subject.opened(url) as store:
                period, piece = _period(store)
        except UNSEEABLE as problem:
            problems.append(f"{shown(url)} could not be asked: {problem}")
            continue
        seen.append(piece)
        periods += [period] if period is not None else []
    return _judged(subject, days, periods, problems, seen)


def _whole(subject: Subject) -> Found:
    """Return whether the log has every entry since its first."""
    scope = subject.engine.scope()
    first = subject.entry(0)
    seen = (
        saw("entries", subject.name, f"{scope.entries:,}"),
        saw("the earliest entry", subject.name, spoken(scope.earliest or "none")),
    )
    if first is None:
        return not_met(
            "the log does not reach back to its first entry",
            f"chained-logging restore STORE {subject.given}",
            *seen,
        )
    return met("the log reaches back to its first entry", *seen)


def _period(store: Destination) -> tuple[int | None, Seen]:
    """Return for how many days a store keeps entries; None if it does not say."""
    from chained_logging.ship.s3 import S3Destination

    if isinstance(store, S3Destination):
        from chained_logging.review.checklist.probes.s3 import policy_of

        policy = policy_of(store)
        length = None if policy is None else policy.days
        return length, saw("days that objects are locked", store.name, length or "none")
    return None, saw("days that entries are kept", store.name, "not stated: nothing deletes them")


def _judged(
    subject: Subject, days: int, periods: list[int], problems: list[str], seen: list[Seen]
) -> Found:
    wanted = f"{days} days" if days else "a period of your own"
    if any(period >= max(days, 1) for period in periods):
        return met(f"a store keeps entries for {max(periods)} days; {wanted} are asked", *seen)
    if problems:
        return unseen("; ".join(problems), *seen)
    longest = f"for {max(periods)} days at most" if periods else "for no stated time"
    return not_met(
        f"stores keep entries {longest}, and {wanted} are asked",
        f"chained-logging init s3://BUCKET/PREFIX --retention {days or 400}d, and ship "
        f"{subject.given} there",
        *seen,
    )


def at_hand(subject: Subject, days: int = 92) -> Found:
    """Whether the log itself holds every entry of the last days."""
    wanted = Filter(since=before(dt.timedelta(days=days)))
    ((count, first, last),) = subject.engine.table(_SPAN, wanted).rows
    where = f"{subject.name}, the last {days} days"
    if not count:
        return not_met(
            f"the log has no entry of the last {days} days",
            f"chained-logging restore STORE {subject.given}",
            saw("entries", where, 0),
        )
    whole = Filter(first_seq=first, last_seq=last)
    missing = last - first + 1 - subject.engine.count(whole)
    seen = (
        saw("entries", where, f"{count:,}, numbers {first:,} to {last:,}"),
        saw("numbers between them without an entry", subject.name, f"{missing:,}"),
    )
    if missing:
        return not_met(
            f"{missing:,} entries of the last {days} days are not in the log",
            f"chained-logging restore STORE {subject.given}",
            *seen,
        )
    return met(f"the log itself holds the last {days} days", *seen)


def ends(subject: Subject, days: int = 400) -> Found:
    """Whether entries were seen to go when their period is over."""
    newest = subject.engine.entries(own_entries(ANY, APPLIED), limit=1).entries
    seen = saw(
        "the newest entry that says what retention removed",
        subject.name,
        spoken(newest[0].timestamp) if newest else "none",
    )
    if newest and age(newest[0].timestamp) <= dt.timedelta(days=days):
        return met(f"retention removed entries at {spoken(newest[0].timestamp)}", seen)
    return not_met(
        f"nothing says that entries went when their period was over, in {days} days",
        f"chained-logging retention plan {subject.given}",
        seen,
    )
