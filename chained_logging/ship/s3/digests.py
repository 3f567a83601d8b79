"""Puts objects once, locked, and makes the hourly digests that list them.

:mod:`chained_logging.ship.s3.digest` has their format.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from chained_logging.errors import DestinationError, Refused, Unfit
from chained_logging.format.record import EMPTY, Head
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import Signer, VerifierKey
from chained_logging.ship.destination import Ours
from chained_logging.ship.s3.digest import (
    MAX_LISTED,
    Digest,
    DigestSummary,
    Listed,
    format_time,
    parse_digest,
    parse_time,
)
from chained_logging.ship.s3.names import CHECKPOINTS, DIGESTS, SEGMENTS, Name
from chained_logging.ship.s3.objects import (
    MAX_ENTRIES,
    Object,
    describe,
    is_signed,
    log_key,
    unpack,
)
from chained_logging.ship.s3.policies import DAY, policy_in_force
from chained_logging.ship.s3.policy import MODES, Policy
from chained_logging.ship.s3.reader import Reader
from chained_logging.ship.s3.store import Denied, Version

_log = logging.getLogger("chained_logging.ship")

SLACK: Final = 900.0
"""Seconds by which two clocks may differ: S3 refuses a request whose time is further off."""


class _Found(NamedTuple):
    """A digest in the bucket. `summary.signed` says that one of our keys signed it."""

    summary: DigestSummary
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
        self.memory: dict[str, Any] = {}
        self._policy: Policy | None = None
        self._heads: dict[str, Head] = {}
        self._ours: dict[str, Ours] = {}
        self._undigested: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def _current(self, renew: bool = False) -> Policy:
        """Return the policy in force, read once, and again when its lock is to be renewed."""
        if self._policy is None or renew:
            self._policy = policy_in_force(self, self.clock(), renew=renew)
        return self._policy

    def _put(self, origin: str, name: Name, data: bytes, held: bool = False) -> None:
        """Put an object once, locked. It may be there already, with the same content.

        :param held: with a legal hold on it, if these credentials may set one.
        :raises Stands: if it is there with other content.
        """
        policy = self._current()
        key = self.base(origin) + name.format()
        until = self.clock() + policy.days * DAY
        # Before: a put whose answer is lost may have been done.
        self._undigested[origin] = self._undigested.get(origin, 0) + 1
        if self._undigested[origin] >= MAX_LISTED:
            self._due[origin] = 0
        put = self._put_held if held else self.put
        id = put(key, data, policy.mode, until)
        if id is None:
            standing = self.oldest(key)
            if standing is None:
                raise DestinationError(f"{self.shown(key)} was there, and is gone: try again")
            self._check_same(standing, name, data)
            return
        self._own[key, id], _ = describe(name, data, policy.mode, until)

    def _put_held(self, key: str, data: bytes, mode: str, until: float) -> str | None:
        try:
            return self.put(key, data, mode, until, held=True)
        except Denied as problem:
            _log.warning("%s, with a legal hold; run hold sync with s3:PutObjectLegalHold", problem)
            return self.put(key, data, mode, until)

    def _check_same(self, standing: Version, name: Name, data: bytes) -> None:
        """Check that the stored object is the one that we wanted to put.

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

    def remember(self, origin: str, memory: Mapping[str, Any]) -> None:
        """Restore an earlier :attr:`memory`, for one origin.

        The next digest continues from there, and :meth:`inspect` compares.

        :raises ValueError: if it is malformed.
        """
        if origin in memory:
            self.memory[origin] = DigestSummary.from_json(memory[origin]).to_json()

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
        newest = self._newest_digest(origin)
        unlisted = self._unlisted(origin, newest)
        if newest is not None:
            start = parse_time(newest.end)
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
        number = newest.number + 1 if newest else 0
        for begin in range(0, max(1, len(unlisted)), MAX_LISTED):
            part = unlisted[begin : begin + MAX_LISTED]
            head = newest.head if newest else EMPTY
            size = newest.checkpoint if newest else -1
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
                newest.sha256 if newest else None,
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
            if not self._put_digest(origin, number, data, newest):
                self._due[origin] = self.clock() + self.digest_interval
                return
            sha256 = hashlib.sha256(data).hexdigest()
            newest = DigestSummary.of(digest, sha256, self.signer is not None)
            self.memory[origin] = newest.to_json()
            start, number = parse_time(digest.end), number + 1
        for _, version in unlisted:
            self._own.pop((version.key, version.id), None)
        self._undigested[origin] = 0
        self._due[origin] = start + self.digest_interval

    def _put_digest(
        self, origin: str, number: int, data: bytes, before: DigestSummary | None
    ) -> bool:
        """Put a digest. If somebody else took its name first, use a name that they cannot guess.

        :param before: the newest digest, as far as is known.
        :returns: whether it was put, and not another shipper's in its place.
        """
        plain = Name(DIGESTS, number, number)
        mark = hashlib.sha256(data).hexdigest()[:16]
        for name in (plain, plain._replace(mark=mark)):
            try:
                self._put_once(origin, name, data)
            except Stands:
                if self._newest_digest(origin) != before:
                    return False
                if name.mark:
                    raise
            else:
                break
        return True

    def _put_once(self, origin: str, name: Name, data: bytes) -> None:
        """Put an object that is looked for before and after, for servers without If-None-Match.

        :raises Stands: if another one is stored.
        """
        key = self.base(origin) + name.format()
        if self.oldest(key) is None:
            self._put(origin, name, data)
        standing = self.oldest(key)
        if standing is None or self.get(standing).data != data:
            raise Stands(f"{self.shown(key)} exists already: this digest cannot be put")

    def _entry(self, name: Name, version: Version) -> Listed:
        facts = self.learn(name, version)
        return Listed(name.format(), facts.sha256, facts.size, version.id)

    def _newest_digest(self, origin: str) -> DigestSummary | None:
        """Return our newest digest, searched from the remembered one on, if there is one."""
        kept = self.memory.get(origin)
        newest = DigestSummary.from_json(kept) if kept else self._last_digest(origin)
        while newest is not None and (after := self._next_digest(origin, newest)):
            newest = after
        if newest is not None:
            self.memory[origin] = newest.to_json()
        return newest

    def _last_digest(self, origin: str) -> DigestSummary | None:
        """Return the last digest that may be ours, for when none is remembered."""
        base = self.base(origin)
        for name, version in reversed(self.standing(base, DIGESTS)):
            found = self._read_digest(origin, name, version)
            if found is not None and self._may_be_ours(origin, found.summary):
                return found.summary
        return None

    def _next_digest(self, origin: str, newest: DigestSummary) -> DigestSummary | None:
        """Return our digest that follows another. Digests of others may be beside it."""
        base, number = self.base(origin), newest.number + 1
        for key, versions in sorted(self.grouped(f"{base}{DIGESTS}/{number:020d}").items()):
            name = Name.parse(key[len(base) :])
            version = next((one for one in versions if not one.marker), None)
            if name is None or version is None:
                continue
            found = self._read_digest(origin, name, version)
            if found is None or found.previous != newest.sha256:
                continue
            if found.summary.signed or (
                not newest.signed and self._may_be_ours(origin, found.summary)
            ):
                return found.summary
        return None

    def _read_digest(self, origin: str, name: Name, version: Version) -> _Found | None:
        """Read a digest. None if it is malformed, or not of this log and number."""
        facts, data = self.fetch(version)
        try:
            digest, note = parse_digest(data)
        except ValueError:
            return None
        if (digest.origin, digest.number) != (origin, name.first):
            return None
        signed = note is not None and is_signed(note, self._signers(origin))
        if not signed and note is not None and self.signer is not None and origin not in self._ours:
            # For a landing, which has to believe the keys that the shipper's digest names.
            signed = is_signed(note, self.path(origin).keys)
        return _Found(DigestSummary.of(digest, facts.sha256, signed), digest.previous)

    def _may_be_ours(self, origin: str, found: DigestSummary) -> bool:
        """Whether we may continue from a digest: if we sign, only from a signed one; else from one
        whose head is the log's."""
        if self.signer is not None:
            return found.signed
        ours, head = self._ours.get(origin), self._heads.get(origin, EMPTY)
        return found.signed or (found.head.seq <= head.seq and (not ours or ours.holds(found.head)))

    def store_keys(self, origin: str) -> list[VerifierKey]:
        """Return the keys that sign digests: the policy's, and that of the signer given."""
        found = super().store_keys(origin)
        if self.signer is not None:
            found.append(log_key(origin, self.signer))
        return found

    def _signers(self, origin: str) -> list[VerifierKey]:
        """Return the keys that are known to sign digests, without reading the log there."""
        ours = self._ours.get(origin)
        return self.store_keys(origin) + (ours.keys() if ours is not None else [])

    def _unlisted(self, origin: str, newest: DigestSummary | None) -> list[Object]:
        """Return the objects from the newest digest to the head, and the checkpoints over them.

        It goes backward from the head, whose hash is known to be the log's: each
        entry names the hash of the one before, so a forged segment is never taken for ours.
        """
        base, (seq, hash) = self.base(origin), self._heads[origin]
        done = newest.head.seq if newest else -1
        segments = self.standing(base, SEGMENTS, done - MAX_ENTRIES)
        found: list[Object] = []
        while seq > done:
            holding = [
                item
                for item in segments
                if item[0].first <= seq <= item[0].last <= self._heads[origin].seq
                and self._leads(item, Head(seq, hash or self._hash_at(origin, item, seq)))
            ]
            if not holding:
                break  # it is gone, and inspect() will report it
            # Anybody may have put a copy. Ours is locked, and was there first.
            chosen = min(holding, key=lambda item: (not self._is_locked(item), item[1].modified))
            found.append(chosen)
            seq, hash = chosen[0].first - 1, self.learn(*chosen).first_prev
        size = newest.checkpoint if newest else -1
        for name, version in self.standing(base, CHECKPOINTS, size):
            if name.first <= self._heads[origin].seq + 1 and self._is_noted(origin, name, version):
                found.append((name, version))
        # By the number of entries, so that a full digest is in order too.
        return sorted(found, key=lambda item: (item[0].last + (item[0].kind == SEGMENTS), item[0]))

    def _hash_at(self, origin: str, item: Object, seq: int) -> str:
        """Return a segment's hash of an entry, if it is the log's: for what comes before a stub,
        which does not say what it follows."""
        ours = self._ours.get(origin)
        for one in self.read(*item)[1]:
            if one.seq == seq and (ours is None or ours.holds(Head(seq, one.hash))):
                return one.hash
        return ""

    def _leads(self, item: Object, head: Head) -> bool:
        """Whether a segment holds an entry, and what comes before it."""
        facts = self.learn(*item)
        if facts.problem:
            return False
        return Head(item[0].last, facts.last_hash) == head or self._holds(*item, *head)

    def _is_locked(self, item: Object) -> bool:
        """Whether an object is locked as the policy says, or was put here."""
        facts, policy = self.learn(*item), self._current()
        until = item[1].modified + policy.days * DAY - self.slack
        if facts.mode not in MODES or facts.until is None:
            return False
        return facts.until >= until and MODES.index(facts.mode) >= MODES.index(policy.mode)

    def _is_noted(self, origin: str, name: Name, version: Version) -> bool:
        """Whether an object is a checkpoint of the log, as far as is known."""
        if self.learn(name, version).problem:
            return False
        ours = self._ours.get(origin)
        return ours is None or ours.signed(self.checkpoint(name, version))

    def _holds(self, name: Name, version: Version, seq: int, hash: str) -> bool:
        _, records = self.read(name, version)
        return any(record.seq == seq and record.hash == hash for record in records)
