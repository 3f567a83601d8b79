"""Whether failures of logging itself are there, and would be noticed."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import Final

from chained_logging.log.spill import spills_of
from chained_logging.review.checklist.answer import Found, joined, met, not_met, saw, unseen
from chained_logging.review.checklist.subject import Subject, before
from chained_logging.review.filter import Filter
from chained_logging.review.report.own_words import RECOVERIES, told
from chained_logging.ship.progress import Progress

_NOT_HERE: Final = "what waits to be logged is on the machine that writes the log"


def backlog(subject: Subject, _: int = 0) -> Found:
    """Whether no event waits, and no shipment is stuck."""
    path = subject.written_here
    if path is None:
        return unseen(_NOT_HERE, mend="run chained-logging checklist there")
    parts = []
    for spill in spills_of(path):
        waits = spill.exists()
        seen = saw("events that wait", str(spill.path), "yes" if waits else "no")
        if waits or spill.refused:
            parts.append(
                not_met(
                    spill.refused or f"events wait in {spill.path}",
                    f"see why the log took none: chained-logging verify {subject.given}",
                    seen,
                )
            )
        else:
            parts.append(met("no event waits to be logged", seen))
    return joined([*parts, *(_stuck(subject, one) for one in subject.progress)])


def _stuck(subject: Subject, progress: Progress) -> Found:
    seen = saw("what stops the shipper", progress.destination, progress.problem or "nothing")
    if progress.problem is not None:
        return not_met(
            f"the shipper does not continue to {progress.destination}",
            f"chained-logging ship {subject.given} --to {shlex.quote(progress.destination)}",
            seen,
        )
    return met("no shipment is stuck", seen)


def losses(subject: Subject, days: int = 31) -> Found:
    """Whether the log says that it lost nothing, and that nobody rewrote it."""
    wanted = Filter(since=before(dt.timedelta(days=days)))
    found, count = told(subject.engine, wanted, RECOVERIES)
    grave = [one for one in found if one.grave]
    seen = (
        saw("entries log.recover and log.reopen", f"{subject.name}, the last {days} days", count),
        *(saw(f"entry {one.seq}", subject.name, one.what) for one in grave),
    )
    if grave:
        return not_met(
            f"entries that say that somebody cut or rewrote the log: {len(grave)}",
            f"chained-logging query {subject.given} --action log.recover --action log.reopen",
            *seen,
        )
    return met("no entry says that somebody cut or rewrote the log", *seen)
