"""What would go from a log: when, under which policy, and what keeps the rest."""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.retention.applied import (
    Apply,
    Named,
    Ranges,
    fields_of,
    is_kept_always,
    timestamp_of,
)
from chained_logging.review.retention.policies import Chosen, Kind, Policy, choose
from chained_logging.review.retention.survey import Survey
from chained_logging.ship.holds import Holds

MOST_RANGES: Final = 3000
_MOST_DIGITS: Final = 40_000  # of the ranges of one entry, whose body has at most 65,535 bytes
_KINDS: Final = 10_000


@dataclass
class Part:
    """What one entry ``retention.apply`` names.

    :ivar before: the time before which all of it happened.
    :ivar size: bytes of the bodies.
    """

    policy: Policy
    before: str
    ranges: Ranges = field(default_factory=Ranges)
    count: int = 0
    size: int = 0
    oldest: str = ""
    newest: str = ""
    _tree: Frontier = field(default_factory=Frontier)
    _hashes: list[str] = field(default_factory=list)
    _digits: int = 0

    def add(self, record: Record, timestamp: str) -> None:
        """Add an entry after all others."""
        if self.ranges.add(record.seq):
            self._digits += 2 * len(str(record.seq)) + 4
        self.count += 1
        self.size += len(record.body)
        self.oldest = min(self.oldest or timestamp, timestamp)
        self.newest = max(self.newest, timestamp)
        self._hashes.append(record.hash)
        if len(self._hashes) == 1000:
            self._grow()

    def _grow(self) -> None:
        self._tree.extend(bytes.fromhex("".join(self._hashes)))
        self._hashes.clear()

    def is_full(self) -> bool:
        """Whether another range might not fit into the entry."""
        return len(self.ranges) >= MOST_RANGES or self._digits > _MOST_DIGITS

    def root(self) -> str:
        """Return the root over the hashes of what goes."""
        self._grow()
        return self._tree.root().hex()

    def context(self, copies: Sequence[str]) -> dict[str, Any]:
        """Return what the entry says.

        :param copies: where else the entries stand.
        """
        policy = self.policy
        said: dict[str, Any] = {
            "policy": policy.name,
            "standard": policy.standard,
            "clause": policy.clause,
            "days": policy.days,
            "before": self.before,
            "selector": policy.selector(),
            "ranges": [list(pair) for pair in self.ranges],
            "count": self.count,
            "root": self.root(),
            "copies": list(copies),
        }
        return said | ({"purpose": policy.purpose} if policy.purpose else {})


@dataclass
class Plan:
    """What would go from a log.

    :ivar parts: what goes, in order; of one policy several if one entry cannot name it all.
    :ivar befores: the time that ends the period of each policy, by its name.
    :ivar entries: how many entries there are.
    :ivar stubs: how many were removed before.
    :ivar held: how many would go, if a hold did not keep them, by case.
    :ivar waiting: how many would go, and lie in the file that is written to.
    :ivar without_copy: how many would go, and do not stand elsewhere.
    :ivar unselected: how many no policy is about.
    :ivar unreadable: how many stay because their content cannot be read.
    :ivar conflicts: how many entries two policies are about, of which the first, the longer, keeps
        them while the second would let them go: by the names of the two.
    :ivar left: what decisions before name, and is still there.
    :ivar left_held: how many of these a hold keeps.
    """

    policies: Sequence[Policy]
    befores: dict[str, str]
    parts: list[Part] = field(default_factory=list)
    entries: int = 0
    stubs: int = 0
    held: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    without_copy: int = 0
    unselected: int = 0
    unreadable: int = 0
    conflicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: Ranges = field(default_factory=Ranges)
    left_held: int = 0

    @property
    def count(self) -> int:
        """How many entries would go."""
        return sum(part.count for part in self.parts)


def make_plan(
    items: Iterable[Record | Stub],
    policies: Sequence[Policy],
    survey: Survey,
    *,
    now: dt.datetime,
    sealed: int,
    copied: int,
) -> Plan:
    """Return what would go from a log.

    :param items: all that the log holds, in order.
    :param survey: what the log says.
    :param now: when the periods are looked at.
    :param sealed: the last entry that can be removed now.
    :param copied: the last entry that stands elsewhere.
    :raises ValueError: what the items raise.
    """
    planner = _Planner(policies, survey, now, sealed, copied)
    for item in items:
        planner.look(item)
    return planner.done()


class _Planner:
    """Looks at each entry in order."""

    def __init__(
        self,
        policies: Sequence[Policy],
        survey: Survey,
        now: dt.datetime,
        sealed: int,
        copied: int,
    ) -> None:
        befores = {policy.name: policy.before(now) for policy in policies}
        self.plan = Plan(policies, befores)
        self._newest = max(befores.values(), default="")
        self._holds: Holds = survey.holds
        self._applies = Named(survey.applies.valid)
        self._sealed = sealed
        self._copied = copied
        self._open: dict[tuple[str, int], Part] = {}
        self._borders = sorted({*survey.applies.borders})
        self._choose: Callable[[Kind], Chosen | None] = functools.lru_cache(_KINDS)(
            functools.partial(choose, policies)
        )

    def done(self) -> Plan:
        """Return the plan, when all entries were looked at."""
        self.plan.parts += self._open.values()
        self.plan.parts.sort(key=lambda part: part.ranges.firsts[0])
        return self.plan

    def look(self, item: Record | Stub) -> None:
        """Take the next entry into account."""
        if isinstance(item, Stub):
            self.plan.stubs += 1
            return
        self.plan.entries += 1
        timestamp = timestamp_of(item.body)
        apply = self._applies.naming(item.seq)
        if apply is not None:
            self._look_again(item, apply)
        elif timestamp is None:
            self.plan.unreadable += 1
        elif timestamp < self._newest and not is_kept_always(item):
            self._judge(item, timestamp)

    def _look_again(self, record: Record, apply: Apply) -> None:
        """Look at what an earlier decision names, and is still there."""
        try:
            if not apply.lets_go(record, fields_of(record.body)):
                return
        except (ValueError, TypeError):
            return
        if self._holds.keeps(AuditEntry(record.body, record.hash)) is None:
            self.plan.left.add(record.seq)
        else:
            self.plan.left_held += 1

    def _judge(self, record: Record, timestamp: str) -> None:
        try:
            chosen = self._choose(Kind.of(fields_of(record.body)))
        except (ValueError, TypeError, KeyError):
            self.plan.unreadable += 1
            return
        if chosen is None:
            self.plan.unselected += 1
            return
        befores = self.plan.befores
        if timestamp >= befores[chosen.longest.name]:
            for other in chosen.shorter:
                self.plan.conflicts[chosen.longest.name, other.name] += (
                    timestamp < befores[other.name]
                )
            return
        self._let_go(record, chosen.policy, timestamp)

    def _let_go(self, record: Record, policy: Policy, timestamp: str) -> None:
        """Take an entry whose period has ended."""
        case = self._holds.keeps(AuditEntry(record.body, record.hash))
        if case is not None:
            self.plan.held[case] += 1
        elif record.seq > self._sealed:
            self.plan.waiting += 1
        elif record.seq > self._copied:
            self.plan.without_copy += 1
        else:
            key = policy.name, self._side(record.seq)
            part = self._open.setdefault(key, Part(policy, self.plan.befores[policy.name]))
            part.add(record, timestamp)
            if part.is_full():
                self.plan.parts.append(self._open.pop(key))

    def _side(self, seq: int) -> int:
        """Return a number that differs on the two sides of each border.

        A database takes no range that overlaps one in part that an entry before named, although
        that entry may count for nothing. So no range that is named here reaches over its borders.
        """
        return bisect_right(self._borders, seq) % 2
