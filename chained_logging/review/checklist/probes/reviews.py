"""Reviews: whether people reviewed the log, lately and in full."""

from __future__ import annotations

import datetime as dt

from chained_logging.review.checklist.answer import Found, Seen, met, not_met, saw
from chained_logging.review.checklist.subject import Subject, age, before
from chained_logging.review.moments import spoken, spoken_length
from chained_logging.review.reviews.register import Register
from chained_logging.review.reviews.review import Review


def reviewed(subject: Subject, days: int = 31) -> Found:
    """Whether signed reviews reach to the last period but one.

    :param days: how long a period is. A review of it may be signed as long as the next one lasts.
    """
    register = Register(subject.log_origin, subject.reviewer_keys)
    register.read(subject.engine)
    signed = [one for one in register.reviews.values() if one.signed and not one.about]
    mend = (
        f"chained-logging review start {subject.given}, then chained-logging review sign "
        f"{subject.given} NUMBER --conclusion TEXT"
    )
    seen = [saw("signed reviews of periods", subject.name, len(signed))]
    if not signed:
        return not_met("nobody signed a review", mend, *seen)
    newest = max(signed, key=_reached)
    seen.append(_said(subject, newest))
    limit = dt.timedelta(days=2 * days)
    if (gap := age(_reached(newest))) > limit:
        return not_met(
            f"nobody reviewed the last {spoken_length(gap)}, and {days} days are a period",
            mend,
            *seen,
        )
    every = register.overdue(subject.engine, None, dt.datetime.now(dt.UTC))
    late = [one for one in every if one.since < before(limit)]
    seen.append(saw("emergency accesses that are to be reviewed", subject.name, len(late)))
    if late:
        return not_met(
            late[0].title,
            f"chained-logging review start {subject.given} --emergency {late[0].entries[0]}",
            *seen,
        )
    return met(f"reviewed up to {spoken(_reached(newest))}", *seen)


def _reached(review: Review) -> str:
    """Return up to when a review can say something: not beyond the time when it was begun."""
    return min(review.until, review.started)


def _said(subject: Subject, review: Review) -> Seen:
    newest = review.signatures[-1]
    own = {"known": "with a key that you know", "unknown": "with a key that only the log names"}
    by = f"{newest.name} ({newest.who}), {own.get(newest.own, 'without a key of their own')}"
    where = f"{subject.name}, entry {newest.seq:,}"
    return saw(f"the review of {review.period} was signed by", where, by)
