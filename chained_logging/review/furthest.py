"""Which of several destinations of a log holds most of it, so that a restored log never forks.

A log that goes on before the end of what some destination holds is a second history: that
destination refuses it. So the destination that is furthest is taken, and those that disagree with
it stop the restore.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from chained_logging.errors import DestinationError, Refused, ShipError
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.ship import Destination, pin
from chained_logging.ship.destination import stored
from chained_logging.ship.fault import Fault
from chained_logging.ship.vouched import Vouched


class _Held(NamedTuple):
    store: Destination
    head: Head


@dataclass
class Furthest:
    """The destination that holds most of a log, with the checkpoints of all that agree with it.

    It is read as a :class:`chained_logging.ship.Destination`.

    :ivar warnings: what a person should know of the others.
    """

    store: Destination
    agreeing: list[Destination] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    batch_entries: int = 0
    batch_bytes: int = 0
    batch_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.name = self.store.name

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Yield the entries of the destination that is furthest."""
        return self.store.records(origin, start)

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        """Yield its entries, and the stubs between them."""
        return stored(self.store, origin, start)

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """Yield the checkpoints of all, by size."""
        stores = [self.store, *self.agreeing]
        found = {note: None for store in stores for note in store.checkpoints(origin)}
        return iter(sorted(found, key=attrgetter("size")))

    def inspect(self, origin: str) -> list[Fault]:
        """Return what is wrong with the destination that is furthest."""
        return self.store.inspect(origin)

    def head(self, origin: str) -> Head:
        """Return the last entry of the destination that is furthest."""
        return self.store.head(origin)

    def origins(self) -> list[str]:
        """Return the logs that it holds."""
        return self.store.origins()

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
    ) -> None:
        """Refuse: this is for reading.

        :raises Refused: always.
        """
        raise Refused(f"{self.name} is only read here")

    def tend(self, origin: str) -> None:
        """Nothing is due by the clock."""

    def close(self) -> None:
        """Close all."""
        for store in (self.store, *self.agreeing):
            store.close()


def furthest(
    stores: Sequence[Destination], origin: str, public_key: bytes | None = None
) -> Furthest:
    """Return the destination that holds most of a log.

    :param public_key: the log's first key, 32 bytes, from elsewhere. Where two destinations
        disagree, it tells which entries are the log's.
    :raises Refused: if two hold different histories, and nothing tells which one is the log's.
    :raises DestinationError: if none of them answers.
    :raises ShipError: if none of them holds the log.
    """
    warnings: list[str] = []
    held, silent = _asked(stores, origin, public_key, warnings)
    if not held:
        if silent:
            raise DestinationError("; ".join(silent))
        names = ", ".join(store.name for store in stores)
        raise ShipError(f"{names} does not hold the log {origin!r}")
    held.sort(key=lambda one: -one.head.seq)
    best = held[0]
    for other in held[1:]:
        fork = _fork(best, other, origin)
        if fork is not None:
            best = _judged(best, other, origin, fork, public_key)
    agreeing = []
    for other in held:
        fork = _fork(best, other, origin)
        if fork is None:
            agreeing.append(other.store)
            continue
        warnings.append(
            f"{other.store.name} holds another history of {origin} than {best.store.name}, from "
            f"entry {fork} on: no key of the log vouches for it, and it was left out"
        )
    for sentence in silent:
        warnings.append(
            f"{sentence}. If it holds more than {best.head.seq + 1:,} entries, the restored log is "
            "a second history: ask it before anything is logged"
        )
    return Furthest(best.store, [one for one in agreeing if one is not best.store], warnings)


def _asked(
    stores: Sequence[Destination], origin: str, public_key: bytes | None, warnings: list[str]
) -> tuple[list[_Held], list[str]]:
    """Return what each destination holds, and sentences about those that do not answer."""
    held, silent = [], []
    for store in stores:
        if public_key is not None:
            pin(store, public_key)
        try:
            head = store.head(origin)
        except DestinationError as error:
            silent.append(f"{store.name} does not answer: {_after(str(error), store.name)}")
            continue
        if head == EMPTY:
            warnings.append(f"{store.name} does not hold the log {origin!r}")
        else:
            held.append(_Held(store, head))
    return held, silent


def _after(text: str, name: str) -> str:
    return text.removeprefix(f"{name}: ")


def _fork(best: _Held, other: _Held, origin: str) -> int | None:
    """Return the first entry in which two destinations differ; None if one continues the other."""
    last = min(best.head.seq, other.head.seq)
    if _same(best, other, origin, last):
        return None
    first = 0  # a hash vouches for all entries before it, so this is a binary search
    while first < last:
        middle = (first + last) // 2
        if _same(best, other, origin, middle):
            first = middle + 1
        else:
            last = middle
    return first


def _same(one: _Held, other: _Held, origin: str, seq: int) -> bool:
    here, there = (_at(each, origin, seq) for each in (one, other))
    return here is not None and here == there


def _at(held: _Held, origin: str, seq: int) -> Head | None:
    """Return the entry of a number, or its stub."""
    if held.head.seq == seq:
        return held.head
    found = next(stored(held.store, origin, seq), None)
    return Head(found.seq, found.hash) if found is not None and found.seq == seq else None


def _judged(one: _Held, other: _Held, origin: str, fork: int, public_key: bytes | None) -> _Held:
    """Return which of two histories is the log's.

    :raises Refused: if nothing tells, or the key vouches for both.
    """
    names = f"{one.store.name} and {other.store.name} hold two histories of {origin}"
    if public_key is None:
        raise Refused(
            f"{names}: they differ from entry {fork} on. Give the log's public key with "
            "--public-key, or leave the one out that is not the log's"
        )
    ends = [_vouched(each.store, origin, public_key) for each in (one, other)]
    if min(ends) > fork:
        raise Refused(
            f"{names}, and the log's key vouches for both from entry {fork} on: two hosts went on "
            "with one log, or the key was stolen. Nothing was restored"
        )
    return one if ends[0] >= ends[1] else other


def _vouched(store: Destination, origin: str, public_key: bytes) -> int:
    """Return how many entries of a destination the log's keys vouch for."""
    vouched = Vouched(origin, public_key)
    try:
        for _ in vouched.follow(stored(store, origin)):
            pass
        vouched.judge(store.checkpoints(origin), stored(store, origin))
    except ValueError:  # another key, or rewritten
        return 0
    return vouched.entries
