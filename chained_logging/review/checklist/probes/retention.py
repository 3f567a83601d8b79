"""Whether entries are kept for as long as they must be."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, Seen, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.probes.entries import in_archive
from chained_logging.review.checklist.subject import UNSEEABLE, Subject, before
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.moments import spoken
from chained_logging.review.overview import own_entries
from chained_logging.review.retention.applied import APPLY
from chained_logging.review.retention.plan import Plan, make_plan
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.survey import Survey
from chained_logging.sinks import open_sink

_SPAN: Final = "SELECT count(*), min(seq), max(seq) FROM found"


def kept(subject: Subject, days: int = 0) -> Found:
    """Whether no entry is missing, a period is set, and a store keeps entries for it.

    :param days: 0 if the standard names no period: then any period that was set will do.
    """
    looks = (
        _whole(subject),
        _removed(subject, days),
        _set(subject, days),
        _enforced(subject, days),
    )
    return joined(looks)


def _whole(subject: Subject) -> Found:
    """Return whether the log reaches back to its first entry, which no policy ever removes."""
    scope = subject.engine.scope()
    first = subject.entry(0)
    seen = (
        saw("entries", subject.name, f"{scope.entries:,}"),
        saw("the earliest entry", subject.name, spoken(scope.earliest or "none")),
    )
    if first is None:
        archive = subject.archived
        if archive is not None:
            return in_archive(subject, archive, *seen)
        return not_met(
            "the log does not reach back to its first entry",
            f"chained-logging restore STORE {subject.given}",
            *seen,
        )
    return met("the log reaches back to its first entry", *seen)


def _removed(subject: Subject, days: int) -> Found:
    """Return whether what was removed had been kept for long enough. That nothing else is missing
    is for the verifier to say."""
    early = []
    count = 0
    for entry in subject.engine.every(own_entries(ANY, APPLY)):
        count += 1
        period = entry.context.get("days")
        if not isinstance(period, int) or period < days:
            early.append((entry.seq, period, bool(entry.context.get("selector"))))
    seen = (
        saw("entries that say what retention removed", subject.name, count),
        saw(f"of them under a period of less than {days} days", subject.name, len(early)),
    )
    if not early:
        return met("nothing was removed before its time", *seen)
    seq, period, _ = early[0]
    what = f"entry {seq:,} removed entries after {period} days"
    if all(selective for *_, selective in early):
        return unseen(f"{what}: whether {days} are asked for these is yours to say", *seen)
    return not_met(what, f"set a period of {days} days or more: docs/retention.md", *seen)


def _set(subject: Subject, days: int) -> Found:
    """Return whether a period is set: by a policy of the configuration, or that of a bucket."""
    policies = subject.policies
    seen = [saw(f"policy {one.name}", "the configuration", one.words()) for one in policies]
    locks = dict(_locks(subject))
    seen += [saw("days that objects are locked", shown(url), n) for url, n in locks.items()]
    general = [one.days for one in policies if not one.selector()]
    if general and max(general) < days:
        return not_met(
            f"entries go after {max(general)} days at the latest, and {days} are asked",
            f'set period = "{days}d" in [retention.NAME] of chained-logging.toml',
            *seen,
        )
    short = [one.name for one in policies if one.selector() and one.days < days]
    if short and not general:
        names = ", ".join(short)
        return unseen(f"whether {days} days are asked for {names} is yours to say", *seen)
    if policies or any(length >= days for length in locks.values()):
        return met(f"a period is set{f', and {days} days are asked' if days else ''}", *seen)
    longest = max(locks.values(), default=0)
    return not_met(
        f"buckets lock for {longest} days, and {days} are asked" if longest else "no period is set",
        f'add [retention.NAME] with period = "{days or 400}d" to chained-logging.toml: '
        "docs/retention.md",
        *seen,
        saw("policies", "the configuration", "none"),
    )


def _locks(subject: Subject) -> Iterator[tuple[str, int]]:
    """Yield the buckets that lock objects, and for how many days."""
    for url in subject.urls:
        with contextlib.suppress(*UNSEEABLE):  # whether it can be asked is looked at below
            if (length := _locked(subject, url)) is not None:
                yield url, length


def _enforced(subject: Subject, days: int) -> Found:
    """Return whether a store lets nobody delete entries before the period is over."""
    seen, problems, longest = [], [], 0
    for url in subject.urls:
        try:
            length, piece = _keeps(subject, url)
        except UNSEEABLE as problem:
            problems.append(f"{shown(url)} could not be asked: {problem}")
            continue
        seen.append(piece)
        if length is None or length >= max(days, 1):
            return met("a store keeps entries for that long", *seen)
        longest = max(longest, length)
    if problems:
        return unseen("; ".join(problems), *seen)
    return not_met(
        f"stores keep entries for {longest} days at most" if longest else "no store keeps entries",
        f"chained-logging init s3://BUCKET/PREFIX --retention {days or 400}d, and ship "
        f"{subject.given} there",
        *seen,
        saw("stores that can be asked", "the configuration, and --store", len(subject.urls)),
    )


def _keeps(subject: Subject, url: str) -> tuple[int | None, Seen]:
    """Return for how many days a store keeps entries; None if it lets nobody delete them."""
    scheme = url.partition("://")[0].lower()
    if scheme == "s3":
        length = _locked(subject, url) or 0
        return length, saw("days that objects are locked", shown(url), length)
    if scheme in ("postgresql", "postgres"):
        from chained_logging.ship.postgres import PostgresDestination

        with subject.opened(url) as store:
            assert isinstance(store, PostgresDestination)  # noqa: S101 -- for the type checker
            faults = store.inspect_schema()
        refuses = "no" if faults else "yes"
        return (0 if faults else None), saw("it refuses to delete entries", shown(url), refuses)
    return 0, saw("days that entries are kept", shown(url), "not known")


def _locked(subject: Subject, url: str) -> int | None:
    """Return for how many days a bucket locks objects; None if it says nothing."""
    if not url.lower().startswith("s3://"):
        return None
    from chained_logging.review.checklist.probes.s3 import policy_of
    from chained_logging.ship.s3 import S3Destination

    with subject.opened(url) as store:
        assert isinstance(store, S3Destination)  # noqa: S101 -- for the type checker
        policy = policy_of(store)
    return None if policy is None else policy.days


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
            f"entries of the last {days} days that are not in the log: {missing:,}",
            f"chained-logging restore STORE {subject.given}",
            *seen,
        )
    return met(f"the log itself holds the last {days} days", *seen)


def ends(subject: Subject, days: int = 31) -> Found:
    """Whether entries go once their period is over.

    :param days: how much later they may go.
    """
    path = subject.written_here
    if path is None or not subject.settings:
        return unseen(
            "what is to go, and when, is configured on the machine that writes the log",
            mend="run chained-logging checklist there",
        )
    policies = subject.policies
    seen = [saw(f"policy {one.name}", "the configuration", one.words()) for one in policies]
    if not policies:
        return not_met(
            "no policy lets entries go, so they stay forever",
            "add [retention.NAME] with a period and a purpose: docs/retention.md",
            saw("policies", "the configuration", "none"),
        )
    plan = _overdue(path, policies, dt.timedelta(days=days))
    late = plan.count + plan.left.count()
    seen += [
        saw(f"entries whose period ended more than {days} days ago", subject.name, f"{late:,}"),
        saw("old entries that no policy is about", subject.name, f"{plan.unselected:,}"),
        saw("entries that a hold keeps", subject.name, f"{sum(plan.held.values()):,}"),
    ]
    if late:
        return not_met(
            f"entries are there whose period ended more than {days} days ago: {late:,}",
            f"chained-logging retention apply {subject.given}",
            *seen,
        )
    if plan.unselected:
        return not_met(
            f"old entries that no policy is about stay forever: {plan.unselected:,}",
            "add a policy that is about them: docs/retention.md",
            *seen,
        )
    return met("nothing is kept longer than its policy says", *seen)


def _overdue(path: Path, policies: Sequence[Policy], slack: dt.timedelta) -> Plan:
    """Return what should have gone by now, whether or not it can."""
    survey, sink = Survey(), open_sink(path)
    try:
        survey.read(sink)
        last = survey.next - 1
        items = (item for item in sink.stored() if item.seq <= last)
        moment = dt.datetime.now(dt.UTC) - slack
        return make_plan(items, policies, survey, now=moment, sealed=last, copied=last)
    finally:
        sink.close()
