"""Removing entries from segments: a new version with their stubs, then the old one is deleted.

The oldest version of a key counts. So once the old one is gone, the new one is the segment. Nothing
is deleted before its lock has ended, and never with the permission to bypass one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from chained_logging.errors import DestinationError
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.ship.s3.names import SEGMENTS, Name
from chained_logging.ship.s3.objects import Item, Object, content_of, describe, gzip_of
from chained_logging.ship.s3.policies import DAY
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.s3.store import Content, Version

Goes = Callable[[Record], bool]
"""Says whether an entry may go."""


class Places:
    """Ranges of entries, each with its last one. A decision may name thousands of them."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._ranges = sorted(ranges)
        self._firsts = [first for first, _ in self._ranges]

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last entry; an empty range if nothing is named."""
        return (self._firsts[0], self._ranges[-1][1]) if self._ranges else (0, -1)

    def meet(self, first: int, last: int) -> bool:
        """Whether an entry from `first` to `last` is in one of the ranges."""
        at = bisect_right(self._firsts, last) - 1
        return at >= 0 and self._ranges[at][1] >= first


class Objects(Protocol):
    """The objects under a prefix, as a destination has them."""

    @property
    def clock(self) -> Callable[[], float]: ...
    def base(self, origin: str) -> str: ...
    def standing(self, base: str, kind: str, after: int = -1) -> list[Object]: ...
    def grouped(self, prefix: str) -> dict[str, list[Version]]: ...
    def get(self, version: Version) -> Content: ...
    def put(
        self, key: str, data: bytes, mode: str, until: float, *, once: bool = True
    ) -> str | None: ...
    def delete(self, version: Version) -> None: ...
    def policy(self) -> Policy: ...


class Removal:
    """Removes entries of one log.

    :ivar parts: the segments that were looked at, each with what keeps it as it is, if something
        does, and whether nothing that was to go is left in it.
    """

    def __init__(self, store: Objects, origin: str) -> None:
        self._store = store
        self._origin = origin
        self.parts: list[tuple[str, bool]] = []

    def remove(self, ranges: Iterable[tuple[int, int]], goes: Goes) -> Iterator[int]:
        """Remove entries, and yield after each segment how many went.

        The last segment stays as it is: where the log ends is read from it.

        :param ranges: where to look, each with its last entry; none overlaps another.
        :raises DestinationError: if S3 cannot be asked now.
        """
        places = Places(ranges)
        base = self._store.base(self._origin)
        segments = self._store.standing(base, SEGMENTS)
        end = max((name.last for name, _ in segments), default=-1)
        for name, version in segments:
            if places.meet(name.first, name.last):
                count = self._one(name, version, places, goes, name.last == end)
                if count:
                    yield count

    def _one(
        self,
        name: Name,
        version: Version,
        places: Places,
        goes: Goes,
        newest: bool,
    ) -> int:
        content = self._store.get(version)
        facts, items = describe(name, content.data, content.mode, content.until)
        left = [_without(item, places, goes) for item in items]
        count = sum(new is not old for new, old in zip(left, items, strict=True))
        if facts.problem or not count:
            return 0
        why = "it is the newest" if newest else self._why_kept(content)
        why = why or self._replace(name, version, left)
        self.parts.append((f"{name.format()}{': ' if why else ''}{why or ''}", why is None))
        return 0 if why else count

    def _why_kept(self, content: Content) -> str | None:
        """Return why a version cannot be deleted now; None if it can."""
        if content.held:
            return "a legal hold is on it"
        if content.until is not None and content.until > self._store.clock():
            return (
                f"it is locked until {datetime.fromtimestamp(content.until, UTC):%Y-%m-%d %H:%M}Z"
            )
        return None

    def _replace(self, name: Name, version: Version, left: list[Item]) -> str | None:
        """Put a segment with stubs over the old one, see that it is there, delete the old one.

        A call that was killed in between is finished by the next one.

        :returns: why the old one stays; None if it is gone.
        """
        data = gzip_of(content_of(left))
        over = self._over(name, version, data, left)
        if not over.there and not over.foreign:
            policy = self._store.policy()
            until = self._store.clock() + policy.days * DAY
            self._store.put(version.key, data, policy.mode, until, once=False)
            over = self._over(name, version, data, left)
            if not over.there:
                raise DestinationError(f"{version.key} was put without what goes, and is not there")
        if over.foreign:
            return "another object was put over it, which would count next: delete that first"
        for one in (version, *over.older):
            self._store.delete(one)
        return None

    def _over(self, name: Name, version: Version, data: bytes, left: list[Item]) -> _Over:
        """Return what stands over a version of a segment."""
        there, foreign, older = False, False, []
        for one in self._store.grouped(version.key).get(version.key, ()):
            if not one.marker and one.id != version.id:
                found = self._store.get(one).data
                if found == data:
                    there = True
                elif _holds(name, found, left):
                    older.append(one)
                else:
                    foreign = True
        return _Over(there, foreign, older)


class _Over(NamedTuple):
    """What stands over a version of a segment: the one without what goes, something that lacks
    what stays, and others with entries that go."""

    there: bool
    foreign: bool
    older: list[Version]


def _holds(name: Name, data: bytes, left: list[Item]) -> bool:
    """Whether a version holds at least these entries, and the hashes of those that go."""
    _, items = describe(name, data, None, None)
    return len(items) == len(left) and all(
        one == kept or (isinstance(kept, Stub) and one.hash == kept.hash)
        for one, kept in zip(items, left, strict=True)
    )


def _without(item: Item, places: Places, goes: Goes) -> Item:
    """Return the stub of an item that goes, or the item itself."""
    if isinstance(item, Stub) or not places.meet(item.seq, item.seq):
        return item
    return Stub(item.seq, item.hash, item.signature) if goes(item) else item
