"""Carrying a plan out: the log first records what goes, and then it goes.

A call that was killed anywhere in between is finished by the next one. Other processes may write to
the log meanwhile. What they decide counts: a hold that is added while entries go keeps the rest.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from chained_logging.errors import Busy, ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.log import AuditLog
from chained_logging.review.reading import Reader
from chained_logging.review.retention.applied import APPLY, Named, Ranges, fields_of
from chained_logging.review.retention.copies import WITHOUT, Copies, copies_of
from chained_logging.review.retention.leftovers import old_pieces, remove_indexes
from chained_logging.review.retention.plan import Plan, make_plan
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.survey import Stored, Survey
from chained_logging.sinks.removal import NotNamed

_ALL: Final = 1 << 62


class Changed(ChainedLoggingError):
    """Another process decided something while this one was about to."""


class Removable(Stored, Protocol):
    """A log or a sink, as a plan needs it."""

    def removable(self) -> int:
        """Return the last entry that could be removed now."""

    def files(self) -> list[Path]:
        """Return the files that hold the log's entries."""


@dataclass
class View:
    """A log, looked at for what may go from it.

    :ivar size: bytes of its files.
    """

    path: Path
    survey: Survey
    copies: Copies
    plan: Plan
    size: int
    now: dt.datetime


@dataclass
class Done:
    """What was removed.

    :ivar entries: the log's entries about it.
    :ivar removed: how many entries went.
    :ivar size_before: bytes of the log's files before, as `size_after` says it after that.
    :ivar discarded: the indexes and pieces that went too.
    :ivar remarks: what is still to be done.
    """

    entries: list[AuditEntry] = field(default_factory=list)
    removed: int = 0
    size_before: int = 0
    size_after: int = 0
    discarded: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def look_at(
    path: Path,
    log: Removable,
    policies: Sequence[Policy],
    *,
    destinations: Sequence[str] | None = None,
    without_copy: bool = False,
) -> View:
    """Return what may go from a log. Nothing is changed.

    :param path: of the log.
    :param destinations: the URLs that it is shipped to; None takes all that it ever was.
    :param without_copy: let entries go that stand nowhere else.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: at what is neither an entry nor a stub.
    """
    now = dt.datetime.now(dt.UTC)
    survey = Survey()
    survey.read(log)
    if without_copy:
        copies = Copies(_ALL, (WITHOUT,))
    else:
        copies = copies_of(path, log, list(survey.backups.values()), destinations)
    sealed = min(log.removable(), survey.next - 1)
    # Writers may append faster than this reads: what came after the survey is not looked at.
    items = itertools.takewhile(lambda item: item.seq < survey.next, log.stored())
    plan = make_plan(items, policies, survey, now=now, sealed=sealed, copied=copies.until)
    return View(path, survey, copies, plan, _size(log), now)


def apply(
    log: AuditLog, view: View, person: Reader, on_progress: Callable[[int], None] | None = None
) -> Done:
    """Remove what a plan lets go, and finish what an earlier call began.

    :param on_progress: called now and then with the number of entries removed so far.
    :raises KeyMissing: if the log has a key, and was opened without. Nothing was removed then.
    :raises Changed: if another process decided something since the log was looked at, before
        anything was decided here.
    :raises NotNamed: if a database does not let go what the log decided: it was changed.
    :raises OSError: if the log cannot be read or written; also LogError.
    """
    done = Done(size_before=view.size)
    guard, known = _Guard(log, view.survey), len(view.survey.applies.remarks)
    _decide(log, view, person, guard, done)
    made = {entry.seq for entry in done.entries}
    guard.refresh()  # the last of them was not read yet
    done.remarks += view.survey.applies.remarks[known:]
    named = [each.ranges for each in view.survey.applies.valid if each.seq in made]
    goes = Ranges.merged([view.plan.left, *named])
    if goes:
        done.discarded += remove_indexes(log.path)  # a call that is killed later leaves none
        try:
            done.removed = log.remove(goes, guard, on_progress)
        except NotNamed as problem:
            raise _in_the_way(log, view.survey, problem) from problem
        done.discarded += remove_indexes(log.path)  # one that was made meanwhile
    try:
        log.give_back(guard)
    except Busy as problem:
        done.remarks.append(str(problem))
    _discard(log, view, person, done)
    done.size_after = _size(log)
    return done


def _in_the_way(log: AuditLog, survey: Survey, problem: NotNamed) -> NotNamed:
    """Return an error that says which entries keep the database from what the log decided."""
    refused = survey.applies.refused
    seqs = ", ".join(map(str, refused[:10])) + (" …" if len(refused) > 10 else "")
    which = f"entry {seqs}, which counts for nothing, named a part of it before"
    return NotNamed(
        f"{log.path}: the table purges lacks what the log decided: "
        f"{which if refused else 'it was changed'} ({problem}). What is not named there stays. "
        "Find out who can write the file (chained-logging verify names each change), and restore "
        "the log from where it was shipped to"
    )


def _decide(log: AuditLog, view: View, person: Reader, guard: _Guard, done: Done) -> None:
    """Append an entry for each part of the plan."""
    for part in view.plan.parts:
        try:
            entry = log.decide(
                APPLY,
                {**part.context(view.copies.where), **person.about},
                loosens=True,
                on_behalf_of=person.name,
                check=guard.require_unchanged,
            )
        except Changed as problem:
            if not done.entries:
                raise
            done.remarks.append(f"only a part was removed: {problem}")
            return
        done.entries.append(entry)
        guard.decided.add(entry.seq)


def _discard(log: AuditLog, view: View, person: Reader, done: Done) -> None:
    """Remove the pieces that crashes left, if they are old enough."""
    pieces = old_pieces(log.path, view.plan.policies, view.now)
    if pieces and view.survey.holds.active:
        done.remarks.append(
            f"{len(pieces)} pieces that crashes left are kept while there are holds: nobody can "
            "tell what is in them"
        )
    elif pieces:
        names = [path.name for path in pieces]
        log.note("retention.discard", on_behalf_of=person.name, files=names, **person.about)
        for path in pieces:
            path.unlink(missing_ok=True)
        done.discarded += pieces


class _Guard:
    """See :class:`chained_logging.log.purging.Guard`.

    :ivar decided: the entries of this call.
    """

    def __init__(self, log: AuditLog, survey: Survey) -> None:
        self._log = log
        self._survey = survey
        self._named: Named | None = None
        self._seen = survey.decisions()
        self.decided: set[int] = set()

    def refresh(self) -> bool:
        survey = self._survey
        before = survey.decisions()
        survey.read(self._log)
        applies, *holds = survey.decisions()
        if applies != before[0]:
            self._named = None
        return tuple(holds) != before[1:]

    def require_unchanged(self) -> None:
        """Take note of what was appended since.

        :raises Changed: if another process decided something.
        """
        self.refresh()
        (known, *holds), self._seen = self._seen, self._survey.decisions()
        others = self._survey.applies.seqs[known:]
        if holds != list(self._seen[1:]) or not self.decided.issuperset(others):
            raise Changed("another process added a hold or removed entries meanwhile: run it again")

    def may_go(self, record: Record) -> bool:
        if self._named is None:
            self._named = Named(self._survey.applies.valid)
        apply = self._named.naming(record.seq)
        try:
            old = apply is not None and apply.lets_go(record, fields_of(record.body))
        except (ValueError, TypeError):
            return False
        return old and self._survey.holds.keeps(AuditEntry(record.body, record.hash)) is None


def _size(log: Removable) -> int:
    return sum(path.stat().st_size for path in log.files())
