"""A log in a bucket, read afresh: its head, its segments and checkpoints."""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from chained_logging.errors import DestinationError, Unfit
from chained_logging.format.merkle import MAX_SIZE
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.ship.holds import Holds
from chained_logging.ship.s3.digest import SignedDigest, parse_digest
from chained_logging.ship.s3.names import (
    ANCHORED,
    ANCHORED_NAME,
    CHECKPOINTS,
    DIGESTS,
    SEGMENTS,
    Name,
    decode_origin,
    encode_origin,
)
from chained_logging.ship.s3.objects import (
    MAX_ENTRIES,
    Facts,
    Item,
    Object,
    describe,
    parse_checkpoint,
)
from chained_logging.ship.s3.path import Path
from chained_logging.ship.s3.policies import read_policies
from chained_logging.ship.s3.store import MAX_CONTENT, ObjectStore, Version, versions_in

MAX_KEY: Final = 1024
"""The longest key in bytes that S3 takes."""

_MAX_PROBES: Final = 1000


class Reader(ObjectStore):
    """Reads the logs under a prefix.

    :ivar facts: by key and version, what was read, for an inspection to go by.
    :ivar pinned: the first key of a log, from elsewhere.
    :ivar paths: by origin, which segments :meth:`stored` read.
    :ivar holds: by origin, the holds of the log that it found.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.facts: dict[tuple[str, str], Facts] = {}
        self.paths: dict[str, Path] = {}
        self.holds: dict[str, Holds] = {}
        self.pinned: bytes | None = None
        self._own: dict[tuple[str, str], Facts] = {}  # what was put here, until a digest lists it

    def pin(self, public_key: bytes) -> None:
        """Prefer a log that names this key first, of several under one name.

        :param public_key: 32 bytes.
        """
        self.pinned = public_key

    # --- Names.

    def base(self, origin: str) -> str:
        """Return the beginning of the keys of an origin.

        :raises Refused: if they would be longer than S3 takes.
        """
        base = f"{self.prefix}{encode_origin(origin)}/"
        if len((base + Name(SEGMENTS, 0, 0, "0" * 16).format()).encode()) > MAX_KEY:
            raise Unfit(f"the origin {origin[:40]!r}… is too long for a key of S3")
        return base

    def origins(self) -> list[str]:
        """Return the logs that are here, even those that a delete marker hides."""
        found = []
        for page in self.pages(self.prefix, Delimiter="/"):
            for common in page.get("CommonPrefixes", ()):
                with contextlib.suppress(ValueError):  # something else's
                    found.append(decode_origin(common["Prefix"][len(self.prefix) : -1]))
        return sorted(found)

    def standing(self, base: str, kind: str, after: int = -1) -> list[Object]:
        """Return the oldest version of each object of a kind, by number, from above one on."""
        oldest: dict[str, Version] = {}
        more = {}
        if after >= 0:
            # A key that is there, where one can be told: some servers lose one object else.
            exact = Name(kind, after, after).format()
            more["KeyMarker"] = base + (f"{kind}/{after:020d}~" if kind == SEGMENTS else exact)
        for page in self.pages(f"{base}{kind}/", **more):
            for version in versions_in(page):
                if not version.marker:
                    known = oldest.get(version.key)
                    if known is None or version.modified <= known.modified:
                        oldest[version.key] = version
        named = ((Name.parse(key[len(base) :]), oldest[key]) for key in oldest)
        return sorted(
            (name, version) for name, version in named if name is not None and name.first > after
        )

    def last_number(self, base: str, kind: str) -> int:
        """Return the largest number of a kind of object, -1 without one.

        S3 lists upward only. A year has half a million segments: this asks some dozen times.
        """
        low, high, step = -1, MAX_SIZE + 1, 1
        probe = 0
        for _ in range(_MAX_PROBES):
            more = {"KeyMarker": f"{base}{kind}/{probe:020d}"} if probe else {}
            page = next(self.pages(f"{base}{kind}/", **more))
            names = [Name.parse(version.key[len(base) :]) for version in versions_in(page)]
            numbers = [name.first for name in names if name is not None]
            if numbers:
                low = max(numbers)
                if not page.get("IsTruncated"):
                    return low
            else:
                high = probe
            if high - low <= 1:
                return low
            middle = (low + high) // 2
            probe, step = min(low + step, middle), step * 2
        raise DestinationError(f"{self.name} cannot be listed: the listing contradicts itself")

    # --- Contents.

    def fetch(self, version: Version) -> tuple[Facts, bytes]:
        """Read a version. Its facts are those of any object, not of its kind.

        No more than a byte beyond :data:`.store.MAX_CONTENT` is read: its facts say so.

        :raises DestinationError: if it cannot be read now.
        """
        data, mode, until, _ = self.get(version)
        sha256 = hashlib.sha256(data).hexdigest()
        problem = None if len(data) <= MAX_CONTENT else f"has more than {MAX_CONTENT} bytes"
        return Facts(sha256, len(data), sha256, mode, until, problem), data

    def read(self, name: Name, version: Version) -> tuple[Facts, list[Item]]:
        """Read an object, and its entries up to the first thing that is wrong, if it is a segment.

        Several threads may do this.
        """
        facts, data = self.fetch(version)
        if facts.problem:
            return facts, []
        return describe(name, data, facts.mode, facts.until)

    def learn(self, name: Name, version: Version) -> Facts:
        """Return the facts of an object, read unless it was put or read here before."""
        known = version.key, version.id
        if known not in self._own:
            self._own[known], _ = self.read(name, version)
        return self._own[known]

    def store_keys(self, origin: str) -> list[VerifierKey]:
        """Return the key that the policy in force names, as a key for digests of a log.

        A landing signs digests with that key, because it does not have the logs' keys.
        """
        key = self._policy_key
        return [] if key is None else [VerifierKey(origin, ED25519, key)]

    @cached_property
    def _policy_key(self) -> bytes | None:
        policy = read_policies(self).current
        named = None if policy is None else policy.key
        return None if named is None else VerifierKey.parse(named).public_key

    def digests(self, base: str) -> Iterator[SignedDigest]:
        """Read all digests, by number. The signatures under them are not verified."""
        for _, version in self.standing(base, DIGESTS):
            with contextlib.suppress(ValueError):
                yield parse_digest(self.get(version).data)

    def stored(self, origin: str, start: int = 0) -> Iterator[Item]:
        """Yield entries from `start` on, and the stubs of those that were removed, in order,
        exactly as stored and not verified.

        Where segments overlap, each entry is returned once, as :mod:`.path` says. What cannot be
        read is left out, and :meth:`inspect` names it.
        """
        path, holds = Path(self, origin), Holds()
        for item in path.stored():
            if isinstance(item, Record):
                holds.look(item)
            if item.seq >= start:
                yield item
        self.paths[origin], self.holds[origin] = path, holds

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """As :meth:`stored`, without the stubs."""
        return (item for item in self.stored(origin, start) if isinstance(item, Record))

    def path(self, origin: str) -> Path:
        """Return what :meth:`stored` found last; it is read for that, if it was not."""
        if origin not in self.paths:
            deque(self.stored(origin), maxlen=0)
        return self.paths[origin]

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """Yield all checkpoints over stored entries, by size.

        Anything else under their names counts for nothing, since anybody may put it.
        :meth:`inspect` names it.
        """
        for name, version in self.notes(origin, self.size_named(origin)):
            with contextlib.suppress(ValueError):
                yield self.checkpoint(name, version)

    def size_named(self, origin: str) -> int:
        """Return the number of entries by the names of all segments, the log's own or not."""
        return max((name.last for name, _ in self.last_segments(origin)), default=-1) + 1

    def last_segments(self, origin: str) -> list[Object]:
        """Return at least the segments that the last one may overlap."""
        base = self.base(origin)
        # One that begins earlier may end later, if two shippers ran.
        number = self.last_number(base, SEGMENTS)
        found = self.standing(base, SEGMENTS, number - MAX_ENTRIES)
        return found if found or number < 0 else self.standing(base, SEGMENTS)

    def notes(self, origin: str, size: int, after: int = -1) -> Iterator[Object]:
        """Yield the objects of checkpoints up to a size. Those that others signed come last."""
        base = self.base(origin)
        for name, version in self.standing(base, CHECKPOINTS, after):
            if name.first <= size:
                yield name, version
        for key, versions in self.grouped(f"{base}{ANCHORED}/").items():
            match = ANCHORED_NAME.fullmatch(key[len(base) :])
            if match and after < int(match[1]) <= size:
                standing = next((one for one in versions if not one.marker), None)
                if standing is not None:
                    yield Name(CHECKPOINTS, int(match[1]), int(match[1])), standing

    def checkpoint(self, name: Name, version: Version) -> StoredCheckpoint:
        """Read a checkpoint.

        :raises ValueError: if it is not a checkpoint, or of another size than its name says.
        """
        return parse_checkpoint(self.get(version).data, name)

    def close(self) -> None:
        """Close the connections."""
        self.disconnect()
