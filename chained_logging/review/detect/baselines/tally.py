"""Counts by actor and day, each compared with the days before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import DAYS, ENOUGH, Usual, renewed, usual
from chained_logging.review.detect.finding import SHOWN

_PEERS: Final = 500  # days of all actors of a kind that are remembered
_DISTINCT: Final = 5_000  # records of an actor's day that are told apart
_DAY, _COUNTS, _TOLD, _SEQS, _FIRST, _SEEN = range(6)


class Excess(NamedTuple):
    """A day on which somebody did more than is usual.

    :ivar count: how much, up to now.
    :ivar own: what was usual for the actor; None for somebody new.
    :ivar peers: what was usual for others.
    :ivar entries: the last of the day's entries, by ``seq``.
    :ivar first: the ``timestamp`` of the first of the day's entries that count.
    """

    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    own: Usual | None
    peers: Usual
    entries: tuple[int, ...]
    first: str

    @property
    def against(self) -> str:
        """What the count is compared with, in words."""
        others = f"others a median of {self.peers.median:g} a day"
        if self.own is None:
            return f"there is not enough of a past to compare with; {others}"
        return (
            f"on {self.own.days} earlier days a median of {self.own.median:g}, "
            f"at most {self.own.most}; {others}"
        )


class Tally:
    """How much each actor did on each day, of one or more measures.

    :param state: where it is kept, of plain JSON values.
    :param floors: for each measure, what is never unusual.
    :param limits: says from counts of the past, and a floor, what is usual.
    """

    def __init__(
        self,
        state: dict[str, Any],
        floors: tuple[int, ...],
        limits: Callable[[Sequence[int], float], Usual] = usual,
    ) -> None:
        self._floors = floors
        self._limits = limits
        self._now: dict[str, list[Any]] = state.setdefault("now", {})
        self._past: dict[str, list[list[int]]] = state.setdefault("past", {})
        self._peers: dict[str, list[list[int]]] = state.setdefault("peers", {})

    def day(self, key: str, kind: str, day: int) -> list[Any]:
        """Return the row of an actor for a day. Each event must come here, also without a count.

        :param kind: of others that the actor is compared with.
        """
        row = self._now.get(key)
        if row is None or day > row[_DAY]:
            row = self._turned(key, kind, day, row)
        return row

    def _turned(self, key: str, kind: str, day: int, row: list[Any] | None) -> list[Any]:
        """Put the counts of a day that is over with those of the past."""
        many = len(self._floors)
        if row is not None:
            past = self._past.pop(key, None) or [[] for _ in range(many)]
            peers = self._peers.setdefault(kind, [[] for _ in range(many)])
            for measure, count in enumerate(row[_COUNTS]):
                past[measure] = [*past[measure], count][-DAYS:]
                peers[measure].append(count)
                del peers[measure][:-_PEERS]
            renewed(self._past, key, past)
        row = [day, [0] * many, [0] * many, [[] for _ in range(many)], [""] * many, {}]
        renewed(self._now, key, row)
        return row

    def days(self, key: str) -> int:
        """Return how many days with activity are known of an actor, today left out."""
        past = self._past.get(key)
        return len(past[0]) if past else 0

    def new(self, row: list[Any], records: Iterable[str]) -> list[str]:
        """Return those of some records that were not among the day's yet, and note them."""
        seen = row[_SEEN]
        found = [record for record in records if record not in seen]
        if found and len(seen) < _DISTINCT:
            for record in found:
                seen[record] = 1
        return found

    def add(
        self, key: str, kind: str, row: list[Any], event: Event, amount: int = 1, measure: int = 0
    ) -> Excess | None:
        """Count something, and return an excess if there is one that was not told of.

        It is told of once when it begins, and again whenever the count has doubled.
        """
        count = row[_COUNTS][measure] = row[_COUNTS][measure] + amount
        seqs = row[_SEQS][measure]
        row[_FIRST][measure] = row[_FIRST][measure] or event.timestamp
        seqs.append(event.seq)
        if len(seqs) > SHOWN:
            del seqs[0]
        if count <= max(self._floors[measure], row[_TOLD][measure]):
            return None
        found = self._compared(key, kind, row, measure)
        if found is None:
            row[_TOLD][measure] = count + count // 10
        else:
            row[_TOLD][measure] = count * 2
        return found

    def _compared(self, key: str, kind: str, row: list[Any], measure: int) -> Excess | None:
        count, floor = row[_COUNTS][measure], self._floors[measure]
        peers = self._limits(self._peers.get(kind, [[]] * len(self._floors))[measure], floor)
        own = None
        if self.days(key) >= ENOUGH:
            own = self._limits(self._past[key][measure], floor)
        too_much = count > peers.limit if own is None else count > max(own.limit, peers.median)
        if not too_much or not peers.days:
            return None
        entries = tuple(row[_SEQS][measure])
        return Excess(count, own, peers, entries, row[_FIRST][measure])
