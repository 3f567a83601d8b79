"""One log's entries out of segments that anybody may have added to.

Hashes need no key, so forged segments may continue the chain as well as the log's own. If several
hold the next entry, the one is read that leads to something that a key of the log signed: a digest
that lists it, or a checkpoint over the entries up to there. Once the log has a key, a segment that
neither a digest lists nor the chain leads to is never read: it is foreign.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, Protocol

from chained_logging.format.merkle import MAX_SIZE, Frontier
from chained_logging.format.note import Note
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.ship.s3.digest import SignedDigest
from chained_logging.ship.s3.names import SEGMENTS, Name
from chained_logging.ship.s3.objects import (
    MAX_ENTRIES,
    Facts,
    Item,
    Object,
    follows,
    is_signed,
    named_keys,
)
from chained_logging.ship.s3.store import AHEAD, Version
from chained_logging.sinks.checkpoints import signed_by_any

_LOOKAHEAD: Final = 64  # segments that are read to find which of several is the log's


class Objects(Protocol):
    """The objects under a prefix, as a :class:`~chained_logging.ship.s3.reader.Reader` has them."""

    facts: dict[tuple[str, str], Facts]
    pinned: bytes | None

    def base(self, origin: str) -> str: ...
    def standing(self, base: str, kind: str, after: int = -1) -> list[Object]: ...
    def notes(self, origin: str, size: int, after: int = -1) -> Iterator[Object]: ...
    def digests(self, base: str) -> Iterator[SignedDigest]: ...
    def store_keys(self, origin: str) -> list[VerifierKey]: ...
    def read(self, name: Name, version: Version) -> tuple[Facts, list[Item]]: ...
    def checkpoint(self, name: Name, version: Version) -> StoredCheckpoint: ...


class Path:
    """Reads a log from its first entry on. :meth:`stored` is called once.

    :ivar segments: those that entries were taken from.
    :ivar end: the last entry that was returned.
    :ivar vouched: how many entries, from the first on, a key of the log vouches for.
    :ivar vouched_end: the last of these.
    """

    _pool: ThreadPoolExecutor

    def __init__(self, reader: Objects, origin: str) -> None:
        self._reader = reader
        self._origin = origin
        self._base = reader.base(origin)
        self.segments: set[Name] = set()
        self.end = EMPTY
        self.vouched = 0
        self.vouched_end = EMPTY
        self._all = sorted(
            reader.standing(self._base, SEGMENTS), key=lambda item: (item[0].first, item[0])
        )
        self._pending = deque(self._all)
        self._active: list[Object] = []
        self._tree: Frontier | None = Frontier()
        self._ring = Keyring(origin)
        self._signed: tuple[int, set[str], set[str]] | None = None
        self._notes: dict[int, list[Object]] | None = None
        self._fetched: dict[Version, Future[tuple[Facts, list[Item]]]] = {}

    @property
    def keys(self) -> list[VerifierKey]:
        """The keys that the log named, and did not revoke."""
        revoked = self._ring.revoked
        return [key for key in self._ring.known if key.format() not in revoked]

    def stored(self) -> Iterator[Item]:
        """Yield the entries and stubs, in order. What cannot be read is left out."""
        with ThreadPoolExecutor(AHEAD) as pool:
            self._pool = pool
            while options := self._options():
                chosen, until = self._choose(options)
                if until >= chosen[0].last:
                    self._active.remove(chosen)
                for record in self._content(chosen):
                    if self.end.seq < record.seq <= until:
                        self.segments.add(chosen[0])
                        self._take(record)
                        yield record
                if self._may_be_signed() and chosen[0].format() in self._listed()[0]:
                    self._vouch()

    def taken(self, first: int, last: int) -> list[Object]:
        """Return the segments in which entries of a range were found, after :meth:`stored`."""
        return [item for item in self._holding(first, last) if item[0] in self.segments]

    def _take(self, record: Item) -> None:
        self.end = Head(record.seq, record.hash)
        if isinstance(record, Record):  # entries that name keys are never removed
            self._ring.look(record)
        if self._tree is not None:
            self._tree.append(bytes.fromhex(record.hash))
            if self._is_vouched(self._tree):
                self._vouch()

    def _vouch(self) -> None:
        self.vouched, self.vouched_end = self.end.seq + 1, self.end

    def _may_be_signed(self) -> bool:
        """Whether there is a key with which digests can be signed."""
        return bool(self._ring.known or self._reader.store_keys(self._origin))

    # --- Which segment is next.

    def _options(self) -> list[Object]:
        """Return the segments that hold the next entry, or else the first ones after it."""
        while self._pending or self._active:
            wanted = self.end.seq + 1
            self._active = [item for item in self._active if item[0].last >= wanted]
            while self._pending and (self._pending[0][0].first <= wanted or not self._active):
                self._active.append(self._pending.popleft())
            self._active = [item for item in self._active if self._may_follow(item, wanted)]
            if self._active:
                break
        if not self._active:
            return []
        start = min(name.first for name, _ in self._active)
        if start > self.end.seq + 1:  # a gap
            self.end, self._tree = Head(start - 1, ""), None
        return [item for item in self._active if item[0].first <= self.end.seq + 1]

    def _may_follow(self, item: Object, wanted: int) -> bool:
        """Whether a segment is the log's, as far as is known by now."""
        if not self._ring.known or item[0].format() in self._listed()[1]:
            return True
        if item[0].first > wanted:
            return False
        return self._links(item)

    def _links(self, item: Object) -> bool:
        wanted = self.end.seq + 1
        found = next((r for r in self._peek(item) if r.seq == wanted), None)
        return found is not None and follows(found, self.end)

    def _choose(self, options: list[Object]) -> tuple[Object, int]:
        """Return the segment to go on with, and up to which entry."""
        if len(options) == 1:
            return options[0], options[0][0].last
        signed, listed = self._listed()
        ranked = sorted(
            options,
            key=lambda item: (
                not self._is_pinned(item),
                item[0].format() not in signed,
                item[0].format() not in listed,
                item[1].modified,
            ),
        )
        best = ranked[0]
        if self._is_pinned(best):
            return best, best[0].last
        if best[0].format() not in signed and self._tree is not None:
            budget = [_LOOKAHEAD]
            for item in ranked:
                tree = Frontier(self._tree.size, self._tree.hashes)
                size = self._leads(item, tree, self.end.hash, budget)
                if size:
                    return item, size - 1
        return best, best[0].last

    def _is_pinned(self, item: Object) -> bool:
        """Whether a segment begins a log whose first key is the one that was given."""
        if self._reader.pinned is None or self._ring.known:
            return False
        named = next(named_keys(self._peek(item)), None)
        return named is not None and VerifierKey.parse(named).public_key == self._reader.pinned

    def _leads(self, item: Object, tree: Frontier, prev: str, budget: list[int]) -> int:
        """Return the size of the first checkpoint that a segment leads to; 0 if to none."""
        if budget[0] <= 0 or not self.keys:
            return 0
        budget[0] -= 1
        records = [record for record in self._peek(item) if record.seq >= tree.size]
        for record in records:
            if not follows(record, Head(tree.size - 1, prev)):
                return 0
            tree.append(bytes.fromhex(record.hash))
            prev = record.hash
            if self._is_vouched(tree):
                return tree.size
        if not records:
            return 0
        del records
        for other in self._holding(tree.size, tree.size):
            copy = Frontier(tree.size, tree.hashes)
            size = self._leads(other, copy, prev, budget)
            if size:
                return size
        return 0

    def _holding(self, first: int, last: int) -> list[Object]:
        begin = bisect_left(self._all, first - MAX_ENTRIES, key=lambda item: item[0].first)
        end = bisect_right(self._all, last, key=lambda item: item[0].first)
        return [item for item in self._all[begin:end] if item[0].last >= first]

    # --- What vouches for them.

    def _listed(self) -> tuple[set[str], set[str]]:
        """Return the names that digests list: those signed by a key of the log, and all."""
        if self._signed is None or self._signed[0] != len(self._ring.known):
            signed: set[str] = set()
            listed: set[str] = set()
            for digest, note in self._reader.digests(self._base):
                names = {one.name for one in digest.objects if one.name.startswith(SEGMENTS)}
                listed |= names
                if note is not None and digest.origin == self._origin and self._is_signed(note):
                    signed |= names
            # What nobody signed lists nothing of a log that has a key.
            named = signed if signed or self._ring.known else listed
            self._signed = len(self._ring.known), signed, named
        return self._signed[1], self._signed[2]

    def _is_signed(self, note: Note) -> bool:
        return is_signed(note, [*self.keys, *self._reader.store_keys(self._origin)])

    def _is_vouched(self, tree: Frontier) -> bool:
        """Whether there is a checkpoint over this tree that a key of the log signed."""
        if not self.keys:
            return False
        for name, version in self._checkpoints().get(tree.size, ()):
            try:
                stored = self._reader.checkpoint(name, version)
                origin, size, root = stored.note.split("\n", 3)[:3]
            except ValueError:
                continue
            here = self._origin, str(tree.size), base64.b64encode(tree.root()).decode()
            if (origin, size, root) == here and signed_by_any(stored, self.keys):
                return True
        return False

    def _checkpoints(self) -> dict[int, list[Object]]:
        """Return the checkpoints by size: those after what signed digests list."""
        if self._notes is None:
            names = [Name.parse(name) for name in self._listed()[0]]
            done = max((name.last for name in names if name is not None), default=-1)
            self._notes = {}
            for name, version in self._reader.notes(self._origin, MAX_SIZE, done):
                self._notes.setdefault(name.first, []).append((name, version))
        return self._notes

    # --- Contents, several of which are fetched at a time.

    def _content(self, item: Object) -> list[Item]:
        facts, records = self._read(item)
        self._fetched.pop(item[1], None)
        self._reader.facts[item[1].key, item[1].id] = facts
        return records

    def _peek(self, item: Object) -> list[Item]:
        return self._read(item)[1]

    def _read(self, item: Object) -> tuple[Facts, list[Item]]:
        for ahead in (item, *islice(self._pending, AHEAD)):
            if ahead[1] not in self._fetched:
                self._fetched[ahead[1]] = self._pool.submit(self._reader.read, *ahead)
        found = self._fetched[item[1]].result()
        while len(self._fetched) > 2 * AHEAD:  # what was looked at, and not taken
            del self._fetched[next(iter(self._fetched))]
        return found
