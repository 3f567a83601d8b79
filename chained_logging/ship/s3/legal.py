"""Legal holds of S3 on the segments that hold entries under a hold of the log.

Object Lock knows one legal hold for each object, on or off. So it is lifted only where no hold of
the log covers an entry of the segment any more, and one that the log released did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Protocol

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.ship.destination import Brought
from chained_logging.ship.holds import Hold, Holds
from chained_logging.ship.s3.names import SEGMENTS
from chained_logging.ship.s3.objects import Item, Object
from chained_logging.ship.s3.store import AHEAD, Version


class Segments(Protocol):
    """The segments under a prefix, as a destination has them."""

    def base(self, origin: str) -> str: ...
    def standing(self, base: str, kind: str, after: int = -1) -> list[Object]: ...
    def is_held(self, version: Version) -> bool: ...
    def hold(self, version: Version, on: bool) -> None: ...


def bring_holds(
    store: Segments, origin: str, holds: Holds, items: Iterable[Item], *, lift: bool = False
) -> Brought:
    """Set the legal holds of a log's segments as the log has it, see
    :class:`.HoldingDestination`.

    :raises DestinationError: if S3 cannot be asked now, or these credentials may not.
    """
    segments = store.standing(store.base(origin), SEGMENTS)
    active, over = under(holds.active, holds.released * lift, items, segments)
    with ThreadPoolExecutor(AHEAD) as pool:
        # Set before lifted: nothing is without a hold in between.
        new = sum(pool.map(_bring, repeat(store), active, repeat(True)))
        old = sum(pool.map(_bring, repeat(store), over - active, repeat(False)))
    return Brought(len(active), new, old)


def unheld(
    store: Segments, holds: Holds, items: Iterable[Item], segments: Iterable[Object]
) -> list[Object]:
    """Return the segments with an entry under a hold of the log on which no legal hold is.

    :raises DestinationError: if S3 cannot be asked now, or these credentials may not.
    """
    active = sorted(under(holds.active, [], items, segments)[0])
    with ThreadPoolExecutor(AHEAD) as pool:
        held = pool.map(store.is_held, [version for _, version in active])
        return [one for one, is_held in zip(active, held, strict=True) if not is_held]


def _bring(store: Segments, segment: Object, on: bool) -> bool:
    """Set one legal hold, and return whether it was different before."""
    differs = store.is_held(segment[1]) is not on
    if differs:
        store.hold(segment[1], on)
    return differs


def under(
    active: list[Hold], released: list[Hold], items: Iterable[Item], segments: Iterable[Object]
) -> tuple[set[Object], set[Object]]:
    """Return the segments with an entry under some holds, and those with one under others.

    :param items: the log, in order.
    """
    found: tuple[set[Object], set[Object]] = set(), set()
    if not active and not released:
        return found
    waiting = deque(sorted(segments))
    here: list[Object] = []
    for item in items:
        here = [one for one in here if one[0].last >= item.seq]
        while waiting and waiting[0][0].first <= item.seq:
            here.append(waiting.popleft())
        if isinstance(item, Record) and here:
            entry = AuditEntry(item.body, item.hash)
            for holds, those in zip((active, released), found, strict=True):
                if not those.issuperset(here) and any(one.covered.fits(entry) for one in holds):
                    those.update(here)
        if not here and not waiting:
            break
    return found
