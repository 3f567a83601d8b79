"""What the verifier says: that the chain is intact, signed, and vouched for from outside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from chained_logging.net.urls import shown
from chained_logging.review.checklist.answer import Found, Seen, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject
from chained_logging.review.moments import spoken, spoken_length

FRESH: Final = dt.timedelta(days=1)
"""What nobody vouches for must be younger."""
_VERIFIER: Final = "chained-logging verify"


def intact(subject: Subject, _: int = 0) -> Found:
    """Whether the chain is whole and unchanged."""
    verdict = subject.verdict
    report = verdict.report
    seen = (
        saw("the verdict", f"{_VERIFIER} {subject.given}", verdict.status),
        saw("entries that were checked", subject.name, f"{report.entries:,}"),
        saw("faults", subject.name, f"{report.fault_count:,}"),
    )
    if verdict.status == "unchecked":
        return unseen(verdict.headline, *seen)
    if not verdict.intact:
        return not_met(verdict.headline, f"{_VERIFIER} {subject.given}", *seen)
    return met(verdict.headline, *seen)


def signed(subject: Subject, _: int = 0) -> Found:
    """Whether the log's key vouches for all but the newest entries."""
    verdict = subject.verdict
    report = verdict.report
    seen = (
        saw(
            "signed up to entry", subject.name, verdict.covered if verdict.covered >= 0 else "none"
        ),
        saw("the last entry", subject.name, report.last_seq),
        saw("the key is the one that was given", "--public-key", "yes" if report.pinned else "no"),
    )
    if report.unchecked_signatures:
        return unseen("there are signatures, and they could not be checked", *seen)
    if verdict.covered < 0:
        return not_met(
            "nothing is signed: anyone who can write to the log could have rewritten all of it",
            f"chained-logging keygen audit.key --origin {_origin(subject)}, and set key in "
            "chained-logging.toml",
            *seen,
        )
    if (late := _too_old(subject, verdict.covered)) is not None:
        return not_met(
            f"the first entry that is not signed is {spoken_length(late)} old",
            f"chained-logging checkpoint {subject.given} --key audit.key",
            *seen,
        )
    doubt = "" if report.pinned else "; only the log says that this is its key: give --public-key"
    return met(f"signed up to entry {verdict.covered:,}{doubt}", *seen)


def outside(subject: Subject, _: int = 0) -> Found:
    """Whether something outside the log vouches for all but its newest entries."""
    verdict = subject.verdict
    report = verdict.report
    seen = list(_vouchers(subject))
    if not verdict.intact:
        return unseen("nothing can vouch for a log that is not intact", *seen)
    known = [seq for seq in (report.anchored_seq, report.timestamped_seq) if seq is not None]
    known += [found["seq"] for found in report.witnessed.values()]
    if not known:
        return _nobody(subject, *seen)
    if (late := _too_old(subject, max(known))) is not None:
        return not_met(
            f"what vouches for the log from outside ends at entry {max(known):,}; the next entry "
            f"is {spoken_length(late)} old",
            f"chained-logging checkpoint {subject.given} --key audit.key, then see that it is "
            "shipped or cosigned",
            *seen,
        )
    return met(f"from outside, entries up to {max(known):,} are vouched for", *seen)


def _vouchers(subject: Subject) -> Iterator[Seen]:
    report = subject.verdict.report
    for store in subject.kept_checkpoints:
        yield saw("a checkpoint that the store holds", store, "was compared with the log")
    for file in subject.evidence.checkpoints:
        yield saw("a checkpoint that was given", file, "was compared with the log")
    if report.anchored_seq is not None:
        yield saw(
            "checkpoints from elsewhere confirm up to entry", subject.name, report.anchored_seq
        )
    for name, found in report.witnessed.items():
        value = f"up to entry {found['seq']:,}, at {spoken(str(found['time']))}"
        yield saw("a witness cosigned", name, value)
    if report.timestamped_at is not None:
        value = f"up to entry {report.timestamped_seq:,}, at {spoken(report.timestamped_at)}"
        yield saw("an authority timestamped", "the checkpoints beside the log", value)


def _nobody(subject: Subject, *seen: Seen) -> Found:
    report = subject.verdict.report
    unchecked = report.unknown_witnesses + report.unchecked_timestamps
    if unchecked:
        return unseen(
            f"cosignatures and timestamps that could not be checked: {unchecked:,}",
            *seen,
            saw("cosignatures and timestamps without their keys", subject.name, unchecked),
            mend="give --witness-key or --timestamp-root",
        )
    stores = ", ".join(map(shown, subject.urls)) or "none known"
    return not_met(
        "nothing outside the log vouches for it: anyone who can write to it and has its key could "
        "have rewritten it, or cut off its end",
        f"chained-logging ship {subject.given} --to STORE, or give a checkpoint that you keep with "
        "--checkpoint",
        *seen,
        saw("checkpoints from elsewhere", f"stores: {stores}", "none"),
    )


def _too_old(subject: Subject, covered: int) -> dt.timedelta | None:
    """Return the age of the first entry that is not covered, if that is not fresh."""
    age = subject.age_of(covered + 1)
    return age if age is not None and age > FRESH else None


def _origin(subject: Subject) -> str:
    return subject.verdict.report.origin or "NAME"
