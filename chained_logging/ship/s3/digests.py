"""Puts objects once, locked, and makes the hourly digests that list them.

:mod:`chained_logging.ship.digest` has their format.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from chained_logging.notes import Note, NoteError, Signer, verify_note
from chained_logging.ship import DestinationError, Refused, Unfit
from chained_logging.ship.digest import (
    CHECKPOINTS,
    DIGESTS,
    MAX_LISTED,
    SEGMENTS,
    Digest,
    Listed,
    Name,
    Place,
    Policy,
    format_time,
    parse_digest,
    parse_time,
)
from chained_logging.ship.s3.objects import MAX_ENTRIES, describe, log_key, unpack
from chained_logging.ship.s3.policy import DAY, policy_in_force
from chained_logging.ship.s3.reader import Object, Reader
from chained_logging.ship.s3.store import Version
from chained_logging.sinks import EMPTY, Head

SLACK: Final = 900.0
"""By how many seconds two clocks may differ: S3 refuses a request whose time is further off."""

_TRIES: Final = 100  # digests that are looked at for one that is genuine


class _Genuine(NamedTuple):
    """A digest that may be ours."""

    place: Place
    previous: str | None


class Stands(Unfit):
    """An object exists already, with other content."""


class DigestWriter(Reader):
    """What :class:`.destination.S3Destination` does to objects of any kind."""

    def __init__(
        self,
        url: str,
        *,
        signer: Signer | None,
        digest_interval: float,
        slack: float,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(url)
        self.signer: Final = signer
        self.digest_interval: Final = digest_interval
        self.slack: Final = slack
        self.clock: Final = clock
        self.place: dict[str, Any] = {}
        self._policy: Policy | None = None
        self._heads: dict[str, Head] = {}
        self._undigested: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def _current(self, renew: bool = False) -> Policy:
        """Return the policy in force, read once, and again where its lock is to be renewed."""
        if self._policy is None or renew:
            self._policy = policy_in_force(self, self.clock(), renew=renew)
        return self._policy

    def _put(self, origin: str, name: Name, data: bytes) -> None:
        """Put an object once, locked. It may be there already, with the same content.

        :raises Stands: if it is there with other content.
        """
        policy = self._current()
        key = self.base(origin) + name.format()
        until = self.clock() + policy.days * DAY
        # Before: a put whose answer is lost may have been done.
        self._undigested[origin] = self._undigested.get(origin, 0) + 1
        if self._undigested[origin] >= MAX_LISTED:
            self._due[origin] = 0
        id = self.put(key, data, policy.mode, until)
        if id is None:
            standing = self.oldest(key)
            if standing is None:
                raise DestinationError(f"{self.shown(key)} was there, and is gone: try again")
            self._check_same(standing, name, data)
            return
        self._own[key, id], _ = describe(name, data, None, None)

    def _check_same(self, standing: Version, name: Name, data: bytes) -> None:
        """Check that the stored object is the one that was to be put.

        :raises Stands: if it is not.
        """
        found = self.get(standing).data
        same = found == data or (name.kind == SEGMENTS and unpack(found) == unpack(data))
        if not same:
            raise Stands(f"{self.shown(standing.key)} exists already, with other content")

    def tend(self, origin: str) -> None:
        """Make the digest that is due: each `digest_interval`, even if nothing was put.

        It lists what leads to the head that :meth:`head` returned or :meth:`write` stored, entry
        by entry: the caller has compared that head with the log. So an object that
        somebody else put is never listed by us.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if a digest cannot be signed.
        """
        if origin in self._heads and self.clock() >= self._due.get(origin, 0):
            self._make_digests(origin)

    def remember(self, origin: str, place: Mapping[str, Any]) -> None:
        """Take back what :attr:`place` was, for one origin of it.

        The next digest goes on from there, and :meth:`inspect` compares.

        :raises ValueError: if it is not such a value.
        """
        if origin in place:
            self.place[origin] = Place.from_json(place[origin]).to_json()

    def close(self) -> None:
        """Make a last digest, if objects were put since the newest one, and close."""
        for origin in [origin for origin, count in self._undigested.items() if count]:
            # A server that is down: the next shipper lists them.
            with contextlib.suppress(DestinationError, Refused):
                if origin in self._heads:
                    self._make_digests(origin, last=True)
        self.disconnect()

    def _make_digests(self, origin: str, last: bool = False) -> None:
        now = self.clock()
        place = self._newest_place(origin)
        unlisted = self._unlisted(origin, place)
        if place is not None:
            start = parse_time(place.end)
        elif unlisted:
            start = min(version.modified for _, version in unlisted)
        else:
            self._due[origin] = now + self.digest_interval
            return
        full = len(unlisted) >= MAX_LISTED
        if now < start + self.digest_interval and not last and not full:
            self._due[origin] = start + self.digest_interval
            return
        policy = self._current(renew=True)
        number = place.number + 1 if place else 0
        for begin in range(0, max(1, len(unlisted)), MAX_LISTED):
            part = unlisted[begin : begin + MAX_LISTED]
            head = place.head if place else EMPTY
            size = place.checkpoint if place else -1
            for name, version in part:
                if name.kind == SEGMENTS:
                    head = Head(name.last, self.learn(name, version).last_hash)
                else:
                    size = name.first
            end = max(start, self.clock())
            digest = Digest(
                number,
                origin,
                format_time(start),
                format_time(end),
                place.sha256 if place else None,
                policy.days,
                policy.mode,
                head,
                size,
                tuple(self._entry(*item) for item in part),
            )
            try:
                data = digest.sign(self.signer)
            except NoteError as error:
                raise Refused(f"a digest of {origin!r} cannot be signed: {error}") from None
            try:
                self._put_digest(origin, Name(DIGESTS, number, number), data)
            except Stands:
                self._due[origin] = self.clock() + self.digest_interval
                if self._newest_place(origin) == place:  # it is not another shipper's
                    raise
                return
            sha256 = hashlib.sha256(data).hexdigest()
            place = Place.of(digest, sha256, self.signer is not None)
            self.place[origin] = place.to_json()
            start, number = parse_time(digest.end), number + 1
        for _, version in unlisted:
            self._own.pop((version.key, version.id), None)
        self._undigested[origin] = 0
        self._due[origin] = start + self.digest_interval

    def _put_digest(self, origin: str, name: Name, data: bytes) -> None:
        """Put a digest. It is looked for before and after, for servers without If-None-Match."""
        key = self.base(origin) + name.format()
        if self.oldest(key) is None:
            self._put(origin, name, data)
        standing = self.oldest(key)
        if standing is None or self.get(standing).data != data:
            raise Stands(f"{self.shown(key)} exists already: this digest cannot be put")

    def _entry(self, name: Name, version: Version) -> Listed:
        facts = self.learn(name, version)
        return Listed(name.format(), facts.sha256, facts.size, version.id)

    def _newest_place(self, origin: str) -> Place | None:
        """Return the newest genuine digest: from the remembered one on, if there is one."""
        kept = self.place.get(origin)
        place = Place.from_json(kept) if kept else self._last_genuine(origin)
        while place is not None and (after := self._genuine(origin, place.number + 1)):
            if after.previous != place.sha256 or (place.signed and not after.place.signed):
                break
            place = after.place
        if place is not None:
            self.place[origin] = place.to_json()
        return place

    def _last_genuine(self, origin: str) -> Place | None:
        """Return the last signed digest; of those that nobody signed, the last one."""
        number = self.last_number(self.base(origin), DIGESTS)
        unsigned = None
        for candidate in range(number, max(-1, number - _TRIES), -1):
            if found := self._genuine(origin, candidate):
                if found.place.signed or self.signer is None:
                    return found.place
                unsigned = unsigned or found.place
        return unsigned

    def _genuine(self, origin: str, number: int) -> _Genuine | None:
        """Return digest `number`. None if it is malformed or, where we sign, signed by another."""
        standing = self.oldest(self.base(origin) + Name(DIGESTS, number, number).format())
        if standing is None:
            return None
        facts, data = self.fetch(standing)
        try:
            digest, note = parse_digest(data)
            if self.signer is not None and note is not None:
                self._check_signature(origin, note, self.signer)
        except ValueError:
            return None
        if (digest.origin, digest.number) != (origin, number):
            return None
        return _Genuine(Place.of(digest, facts.sha256, note is not None), digest.previous)

    def _check_signature(self, origin: str, note: Note, signer: Signer) -> None:
        """Check that a digest is signed by this key, or by one that the log names.

        :raises NoteError: if it is not.
        """
        try:
            verify_note(note, [log_key(origin, signer)])
        except NoteError:  # from before a rotation
            verify_note(note, self.path(origin).keys)

    def _unlisted(self, origin: str, place: Place | None) -> list[Object]:
        """Return what leads from the newest digest to the head, and the checkpoints over that.

        It goes backward from the head, whose hash is known to be the log's: each entry names the
        hash of the one before, so that a forged segment is never taken for one of ours.
        """
        base, (seq, hash) = self.base(origin), self._heads[origin]
        done = place.head.seq if place else -1
        segments = self.standing(base, SEGMENTS, done - MAX_ENTRIES)
        found: list[Object] = []
        while seq > done:
            for name, version in segments:
                if name.first <= seq <= name.last <= self._heads[origin].seq:
                    facts = self.learn(name, version)
                    at_end = name.last == seq and facts.last_hash == hash
                    if not facts.problem and (at_end or self._holds(name, version, seq, hash)):
                        found.append((name, version))
                        seq, hash = name.first - 1, facts.first_prev
                        break
            else:
                break  # it is gone, and inspect() will miss it
        size = place.checkpoint if place else -1
        for name, version in self.standing(base, CHECKPOINTS, size):
            if name.first <= self._heads[origin].seq + 1 and not self.learn(name, version).problem:
                found.append((name, version))
        # By the number of entries, so that a digest that is full is in order all the same.
        return sorted(found, key=lambda item: (item[0].last + (item[0].kind == SEGMENTS), item[0]))

    def _holds(self, name: Name, version: Version, seq: int, hash: str) -> bool:
        _, records = self.read(name, version)
        return any(record.seq == seq and record.hash == hash for record in records)
