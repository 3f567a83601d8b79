"""Removing from a central store what the log's own decisions name.

Anybody who may ship to a store can ship an entry that decides something. So each decision is
checked here before the store carries it out: the chain up to it, the statement of the log's key,
and for each entry that it names the policy, the holds and the root over their hashes.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from chained_logging.errors import BrokenChain
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import check_next
from chained_logging.format.merkle import Frontier
from chained_logging.format.record import EMPTY, Record
from chained_logging.format.stub import Stub
from chained_logging.review.retention.applied import Apply, Named, Ranges
from chained_logging.review.retention.survey import Survey
from chained_logging.ship import ArchivedDestination, HoldingDestination, PurgingDestination, pin

_CHUNK = 1000


@dataclass
class Due:
    """A decision of which the store still has something.

    :ivar left: how many of the entries that it names are still there.
    :ivar held: how many of these a hold keeps, by case.
    :ivar doubt: why the store must not carry it out; None if it may.
    """

    apply: Apply
    left: int = 0
    held: Counter[str] = field(default_factory=Counter)
    doubt: str | None = None
    _tree: Frontier = field(default_factory=Frontier)
    _hashes: list[str] = field(default_factory=list)

    def look(self, item: Record | Stub, survey: Survey) -> None:
        """Take note of the next entry that it names, or of its stub."""
        self._hashes.append(item.hash)
        if len(self._hashes) == _CHUNK:
            self._grow()
        if isinstance(item, Stub):
            return
        self.left += 1
        entry = AuditEntry(item.body, item.hash)
        if not self.apply.lets_go(item, entry.fields):
            self.doubt = self.doubt or f"its policy does not cover entry {item.seq}"
        case = survey.holds.keeps(entry)
        if case is not None:
            self.held[case] += 1

    def end(self) -> None:
        """Compare the root, after all."""
        self._grow()
        if self._tree.root().hex() != self.apply.root:
            self.doubt = self.doubt or "the root over what it names is another one"

    def _grow(self) -> None:
        self._tree.extend(bytes.fromhex("".join(self._hashes)))
        self._hashes.clear()


@dataclass
class StoreView:
    """A log in a central store, looked at for what is to go there.

    :ivar name: of the store.
    :ivar signed: whether the log has a key.
    :ivar confirmed: whether it is the key that was given from elsewhere.
    :ivar due: the decisions of which something is left, in the order of the log.
    :ivar unheld: parts with entries under a hold, on which the store has no hold of its own.
    """

    name: str
    origin: str
    signed: bool
    confirmed: bool
    survey: Survey
    due: list[Due]
    unheld: list[str] = field(default_factory=list)

    def count(self) -> int:
        """Return how many entries would go."""
        return sum(one.left - one.held.total() for one in self.due if one.doubt is None)


@dataclass
class DoneThere:
    """What was removed from a store.

    :ivar parts: the parts that were written again, each with whether nothing removed is left in it.
    """

    removed: int = 0
    parts: list[tuple[str, bool]] = field(default_factory=list)


def look_at_store(
    store: PurgingDestination, origin: str, public_key: bytes | None = None
) -> StoreView:
    """Return what is to go from a store, according to the decisions of a log there.

    :param public_key: the log's first key, 32 bytes, from elsewhere.
    :raises BrokenChain: if the log there is not intact.
    :raises BrokenLog: if an entry is gone that no decision there names.
    :raises DestinationError: if the store cannot be asked now.
    :raises Refused: if it refuses.
    :raises ValueError: if the log's first key is not the one that was given, or what is there is no
        log.
    """
    if public_key is not None:
        pin(store, public_key)
    survey = Survey(elsewhere=_elsewhere(store, origin))
    survey.read(_Checked(store, origin))
    ring = survey.applies.ring
    if ring.origin != origin:
        raise ValueError(f"{store.name} holds another log under the name {origin}")
    if public_key is not None and [key.public_key for key in ring.known[:1]] != [public_key]:
        raise ValueError("the log's first key is not the one that was given")
    due = [Due(each) for each in survey.applies.valid if store.any_of(origin, each.ranges)]
    _look_at_named(store, origin, survey, due)
    unheld = []
    if survey.holds.active and isinstance(store, HoldingDestination):
        unheld = store.unheld(origin, survey.holds, store.stored(origin))
    confirmed = public_key is not None
    return StoreView(store.name, origin, bool(ring.known), confirmed, survey, due, unheld)


def _elsewhere(store: PurgingDestination, origin: str) -> Ranges:
    """Return what was moved from a store to an archive."""
    found = store.archived(origin) if isinstance(store, ArchivedDestination) else []
    parts = [Ranges(array("q", [one.first]), array("q", [one.last])) for one in found]
    return Ranges.merged(parts)


def apply_at_store(
    store: PurgingDestination, view: StoreView, on_progress: Callable[[int], None] | None = None
) -> DoneThere:
    """Remove what a view lets go, and give the space back. A call that was killed is finished by
    the next one.

    :param on_progress: called now and then with the number of entries removed so far.
    :raises DestinationError: if the store cannot be asked now.
    :raises Refused: if it refuses: the login may not remove, or a hold came meanwhile.
    """
    done = DoneThere()
    for release in sorted({hold.released or 0 for hold in view.survey.holds.released}):
        store.approve(view.origin, release)
    for one in view.due:
        if one.doubt is not None:
            continue
        store.approve(view.origin, one.apply.seq)
        goes = partial(_goes, one.apply, view.survey)
        for count in store.purge(view.origin, one.apply.seq, one.apply.ranges, goes):
            done.removed += count
            if on_progress is not None:
                on_progress(done.removed)
    done.parts = list(store.give_back())
    return done


def _goes(apply: Apply, survey: Survey, record: Record) -> bool:
    """Whether a decision's policy covers an entry, and no hold does."""
    entry = AuditEntry(record.body, record.hash)
    return apply.lets_go(record, entry.fields) and survey.holds.keeps(entry) is None


class _Checked:
    """A log in a store, whose chain is checked while it is read."""

    def __init__(self, store: PurgingDestination, origin: str) -> None:
        self._store = store
        self._origin = origin

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        """Yield what is there, from the first entry on.

        :raises BrokenChain: where it is broken.
        """
        seq, prev = EMPTY
        for item in self._store.stored(self._origin, start):
            try:
                if isinstance(item, Record):
                    check_next(item.body, item.hash, seq + 1, prev)
                if item.seq != seq + 1:
                    raise ValueError(f"entry {seq} is followed by {item.seq}")
            except ValueError as problem:
                raise BrokenChain(
                    f"{self._store.name} is broken after entry {seq} of {self._origin}, and "
                    f"nothing was removed: {problem}"
                ) from None
            seq, prev = item.seq, item.hash
            yield item


def _look_at_named(store: PurgingDestination, origin: str, survey: Survey, due: list[Due]) -> None:
    """Look at all that the decisions name."""
    named = Named([one.apply for one in due])
    by_seq = {one.apply.seq: one for one in due}
    places = Ranges.merged([one.apply.ranges for one in due])
    if not len(places):
        return
    for item in store.stored(origin, places.firsts[0]):
        if item.seq > places.lasts[-1]:
            break
        apply = named.naming(item.seq)
        if apply is not None:
            by_seq[apply.seq].look(item, survey)
    for one in due:
        one.end()
