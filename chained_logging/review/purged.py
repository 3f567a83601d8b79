"""What retention removed from the part of a log that a filter is about.

Where entries are gone, a small number could be taken for the whole truth. So what answers a filter
says how many were removed there, and under which policy. Nothing is verified: that is for
:mod:`chained_logging.verify`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.overview import own_entries
from chained_logging.review.query import Engine
from chained_logging.review.retention.applied import APPLY, Apply

_ENDS: Final = "SELECT min(seq), max(seq) FROM found"
_SELECTED: Final = {"action": "action", "tenant_id": "tenant"}
"""By the field of a policy's selector, the field of a filter."""


class Purged(NamedTuple):
    """What was removed under one policy.

    :ivar clause: why, in the words of a standard; None if the log does not say so.
    :ivar entries: how many entries.
    :ivar by: the newest entry that says so.
    """

    policy: str
    clause: str | None
    entries: int
    by: int

    @property
    def sentence(self) -> str:
        """It, as a sentence. Others wrote the names in it: it is not fit for a terminal."""
        what = "1 entry" if self.entries == 1 else f"{self.entries:,} entries"
        why = f" ({self.clause})" if self.clause else ""
        return (
            f"{what} of this period {'was' if self.entries == 1 else 'were'} purged under policy "
            f"{self.policy}{why}, as entry {self.by} says: nobody can tell whether they would fit"
        )


def purged(engine: Engine, wanted: Filter = ANY) -> list[Purged]:
    """Return what was removed where a filter looks, by policy.

    Of an entry that was removed, its number alone is left. So those count that lie between the
    entries of the period, and those that meet its ends.

    :param engine: the whole log.
    """
    said = own_entries(ANY, APPLY)
    if not engine.count(said):
        return []
    span = _span(engine, wanted)
    if span is None:
        return []
    first, last = span
    gone = last - first + 1 - engine.count(Filter(first_seq=first, last_seq=last))
    found: dict[str, Purged] = {}
    for entry in engine.every(said) if gone else ():
        apply = _read(entry)
        count = 0 if apply is None else min(gone, apply.ranges.within(first, last))
        if apply is not None and count and _concerns(apply, wanted):
            before = found.get(apply.policy)
            clause = entry.context.get("clause")
            total = count + (before.entries if before else 0)
            found[apply.policy] = Purged(
                apply.policy, clause if isinstance(clause, str) else None, total, entry.seq
            )
    return list(found.values())


def _read(entry: AuditEntry) -> Apply | None:
    try:
        return Apply.read(entry)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None  # it lets nothing go, and the verifier says so


def _span(engine: Engine, wanted: Filter) -> tuple[int, int] | None:
    """Return the first and the last place of a log where an entry of a period may have stood."""
    first, last = 0, _ends(engine, ANY)[1]
    if last is None:
        return None
    if wanted.since is not None:
        begin = _ends(engine, Filter(since=wanted.since))[0]
        if begin is None:
            return None
        before = _ends(engine, Filter(last_seq=begin - 1))[1]
        first = 0 if before is None else before + 1
    if wanted.until is not None:
        end = _ends(engine, Filter(until=wanted.until))[1]
        if end is None:
            return None
        after = _ends(engine, Filter(first_seq=end + 1))[0]
        last = last if after is None else after - 1
    first = max(first, wanted.first_seq or 0)
    last = last if wanted.last_seq is None else min(last, wanted.last_seq)
    return (first, last) if first <= last else None


def _ends(engine: Engine, wanted: Filter) -> tuple[int | None, int | None]:
    ((first, last),) = engine.table(_ENDS, wanted, reads=("seq",)).rows
    return first, last


def _concerns(apply: Apply, wanted: Filter) -> bool:
    """Whether something that fits a filter can be among what an entry names."""
    if wanted.since is not None and apply.before <= wanted.since:
        return False
    for field, name in _SELECTED.items():
        asked, chosen = getattr(wanted, name), apply.selector.get(field)
        if asked and chosen is not None and not {*asked} & {*chosen}:
            return False
    return True
