"""Months of a log are moved from a central store to an archive: stored, verified there, removed.

The files have the form of sealed segments. Of each entry that goes its stub stays in the store, so
links, roots and proofs hold there without the archive. The store takes an entry away in the same
transaction in which it notes the file, after that was read again: a kill at any moment leaves the
entry in the store or in the archive, and the next call goes on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Iterable, Iterator
from typing import Final

from chained_logging.errors import BrokenChain, Refused
from chained_logging.format.line import check_next
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.archive.move import Moved
from chained_logging.review.archive.names import month_name
from chained_logging.review.archive.stores import DAY, Archive
from chained_logging.review.retention.applied import is_kept_always, timestamp_of
from chained_logging.ship.destination import ArchivedDestination, Month
from chained_logging.ship.s3.objects import content_of, gzip_of, unpack
from chained_logging.sinks.lines import line_of

MOST: Final = 10_000
"""The most entries in one file, and so in one transaction."""

_BYTES: Final = 16 << 20  # of them, before compression
_GAP: Final = 100  # entries of other months that are copied along rather than begin another file


def move_months(
    store: ArchivedDestination,
    origin: str,
    archive: Archive,
    days: float,
    *,
    now: float | None = None,
) -> Moved:
    """Move the months of a log whose end is older than some days, the oldest first.

    What a hold covers stays in the store, and so does what is about the log: its first and its last
    entry, and those about keys, holds, retention and archives.

    :raises BrokenChain: if the log there is not intact.
    :raises Refused: if the archive has another file of that name, or this login may not.
    :raises OSError: if the archive cannot be read or written; also DestinationError.
    """
    end = dt.datetime.fromtimestamp((time.time() if now is None else now) - days * DAY, dt.UTC)
    moved = Moved(archive.name)
    for month in store.months(origin, Month(end.year, end.month)):
        for first, last in _runs(store.of_month(origin, month)):
            for items in _parts(_checked(store, origin, first, last)):
                if any(_may_go(item, month) for item in items):
                    _move(store, origin, month, archive, items, moved)
    busy = [part for part, clean in store.give_back() if not clean]
    if busy:
        moved.stays = (
            f"moved entries may still be read in the files of {', '.join(busy)}, as somebody uses "
            "them: run the command again later"
        )
    return moved


def _move(
    store: ArchivedDestination,
    origin: str,
    month: Month,
    archive: Archive,
    items: list[Record | Stub],
    moved: Moved,
) -> None:
    first, last = items[0].seq, items[-1].seq
    name = month_name(origin, first, last)
    content = content_of(items)
    archive.put(name, gzip_of(content))
    packed = archive.get(name)
    if packed is None or not _has(packed, items):
        raise Refused(f"{archive.name} holds another {name}: give each store an archive of its own")
    where = archive.name, name, hashlib.sha256(packed).hexdigest()
    count = store.let_go(origin, month, first, last, where)
    if count:
        moved.files.append(name)
        moved.entries += count
        moved.bytes += len(content)
        moved.packed += len(packed)


def _has(packed: bytes, items: Iterable[Record | Stub]) -> bool:
    """Whether a file holds all of these entries. It may hold more than is left of them here."""
    content, problem = unpack(packed)
    lines = set(content.split(b"\n"))
    return problem is None and all(
        line_of(item) in lines for item in items if isinstance(item, Record)
    )


def _may_go(item: Record | Stub, month: Month) -> bool:
    """Whether an entry is of a month, and not about the log. The store knows what is held."""
    if isinstance(item, Stub) or is_kept_always(item):
        return False
    return month.begins <= (timestamp_of(item.body) or "") < month.next.begins


def _runs(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of numbers that are near each other."""
    first = last = -1
    for seq in seqs:
        if last >= 0 and (seq - last > _GAP or seq - first >= MOST):
            yield first, last
            first = seq
        first = seq if first < 0 else first
        last = seq
    if last >= 0:
        yield first, last


def _parts(items: Iterable[Record | Stub]) -> Iterator[list[Record | Stub]]:
    """Yield items in parts that are not too large for a file."""
    part: list[Record | Stub] = []
    size = 0
    for item in items:
        part.append(item)
        size += len(item.body) if isinstance(item, Record) else 0
        if size >= _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _checked(
    store: ArchivedDestination, origin: str, first: int, last: int
) -> Iterator[Record | Stub]:
    """Yield what is stored from one number to another, whose chain is checked.

    :raises BrokenChain: where it is broken.
    """
    due, before = max(first - 1, 0), None
    for item in store.stored(origin, due):
        if item.seq > last:
            return
        try:
            if item.seq != due:
                raise ValueError(f"entry {due} is not there")
            if isinstance(item, Record):
                check_next(item.body, item.hash, due, before)
        except ValueError as problem:
            raise BrokenChain(
                f"{store.name} is broken at entry {due} of {origin}, which stays there: {problem}"
            ) from None
        due, before = item.seq + 1, item.hash
        if item.seq >= first:
            yield item
