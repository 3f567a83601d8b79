"""S3 with Object Lock: segments of the log as objects that nobody can change or delete in time.

``docs/s3.md`` says what stands where, what catches whom, and which permissions are needed. In
short: a write is one object with the entries, the exact stored lines compressed with gzip, after
an object for each checkpoint. The segment is what counts: checkpoints beyond the last one are not
shown, so that a write is there as a whole or not at all. Every object is put once and locked.
An hourly digest lists them (:mod:`chained_logging.ship.digest`), and
:mod:`chained_logging.ship.s3_inspect` compares the two.

S3 never changes a version of an object. So the oldest version of each key is what counts here,
whatever was put or deleted over it later.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import logging
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from chained_logging import chain
from chained_logging.checkpoint import frontier
from chained_logging.entry import OURSELVES, AuditEntry
from chained_logging.keyring import KEY_ACTIONS
from chained_logging.merkle import MAX_SIZE
from chained_logging.notes import (
    ED25519,
    MAX_NOTE,
    Note,
    NoteError,
    Signer,
    VerifierKey,
    verify_note,
)
from chained_logging.review.retention import retention_days
from chained_logging.ship import DestinationError, Refused, Unfit
from chained_logging.ship.digest import (
    ANCHORED,
    ANCHORED_NAME,
    CHECKPOINTS,
    DIGESTS,
    MAX_LISTED,
    MODES,
    SEGMENTS,
    Digest,
    Listed,
    Name,
    Place,
    Policy,
    anchored_name,
    decode_origin,
    encode_origin,
    format_time,
    parse_digest,
    parse_time,
)
from chained_logging.sinks import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.verify import Fault

_log = logging.getLogger("chained_logging.ship")

MAX_ENTRIES: Final = 20_000
"""The most entries in one segment."""

MAX_CONTENT: Final = 32 << 20
"""The most bytes in one segment before compression, and in any object: nothing larger is read."""

MAX_KEY: Final = 1024
"""The longest key in bytes that S3 takes."""

POLICY: Final = "policy.json"
"""The name of the policy's object, below the prefix."""

SLACK: Final = 900.0
"""By how many seconds two clocks may differ: S3 refuses a request whose time is further off."""

_DAY: Final = 86_400
_MAX_LINE: Final = chain.MAX_BODY + 200
_AHEAD: Final = 8  # objects that are fetched before they are asked for
_MAX_PAGES: Final = 1_000_000  # of a listing: a thousand million versions
_MAX_PROBES: Final = 1000
_TRIES: Final = 100  # digests that are looked at for one that is genuine
_NAMED_KEY = tuple(b'{"action":"%b","actor_id":"' % action.encode() for action in KEY_ACTIONS)

# What no later call of the same kind can succeed at.
_FINAL: Final = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "that is no name of a bucket",
    "KeyTooLongError": "the prefix and the origin are too long for a key",
    "InvalidRequest": "the bucket has no Object Lock, or takes no such request",
    "ObjectLockConfigurationNotFoundError": "the bucket has no Object Lock",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
}


class Version(NamedTuple):
    """One version of an object, as a listing shows it."""

    key: str
    id: str
    modified: float
    """When S3 got it, by its own clock, in seconds since 1970."""
    marker: bool = False
    """Whether it is a delete marker: no object, but the claim that there is none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a version's content. It does not change any more."""

    sha256: str
    size: int
    content: str
    """SHA-256 of a segment before compression: what two compressors agree on. Else `sha256`."""
    mode: str | None
    until: float | None
    """Object Lock's mode and date, None if it shows none."""
    problem: str | None = None
    """Why this is not what its name says."""
    first_prev: str = ""
    """The `prev_hash` of a segment's first entry."""
    last_hash: str = ""
    keys: tuple[str, ...] = ()
    """The public keys that the log names in it, as vkeys."""


class S3Destination:
    """Logs in a bucket with Object Lock. See :class:`chained_logging.ship.Destination`.

    Endpoint, region and credentials are found where boto3 finds them: the environment
    (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID`` …), ``~/.aws``, the machine's
    role.

    :param url: ``s3://bucket/prefix``, prepared by :func:`init`.
    :param signer: signs the digests: the log's key.
    :param digest_interval: seconds between two digests.
    :param slack: seconds by which clocks may differ, see :data:`SLACK`.
    :param clock: the seconds since 1970.
    :ivar place: by origin, the newest digest that was made or read here. It is JSON, to be kept
        outside the bucket and given to :meth:`remember` later: whoever has every key and every
        permission cannot change what is kept elsewhere.
    :raises ValueError: if the URL is none of this kind.
    :raises ImportError: if boto3 is not installed.
    """

    batch_entries = MAX_ENTRIES
    batch_bytes = 8 << 20
    batch_seconds = 60.0

    def __init__(
        self,
        url: str,
        *,
        signer: Signer | None = None,
        digest_interval: float = 3600.0,
        slack: float = SLACK,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _require_boto3()
        self.bucket, self.prefix = _split(url)
        self.name = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        self.signer: Final = signer
        self.digest_interval: Final = digest_interval
        self.slack: Final = slack
        self.clock: Final = clock
        self.place: dict[str, Any] = {}
        self.facts: dict[tuple[str, str], Facts] = {}
        """By key and version: what :meth:`records` read, for :meth:`inspect` to go by."""
        self._own: dict[tuple[str, str], Facts] = {}  # what was put here, until a digest lists it
        self._page = 1000  # keys in a listing: the most that S3 returns
        self._made: Any = None
        self._policy: Policy | None = None
        self._heads: dict[str, Head] = {}
        self._undigested: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._checkpoint: dict[str, int] = {}

    # --- What stands there.

    def head(self, origin: str) -> Head:
        """Return the last entry that stands there, see :class:`chained_logging.ship.Destination`.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if the last segment is none.
        """
        head = self._find_head(origin)
        self._heads[origin] = head
        self._checkpoint[origin] = self._last_number(self.base(origin), CHECKPOINTS)
        return head

    def _find_head(self, origin: str) -> Head:
        base = self.base(origin)
        number = self._last_number(base, SEGMENTS)
        # One that begins earlier may end later, if two shippers ran.
        standing = self._standing(base, SEGMENTS, number - MAX_ENTRIES)
        if not standing:
            return EMPTY
        # Of two that end together the one that was there first.
        name, version = max(standing, key=lambda item: (item[0].last, -item[1].modified))
        facts = self._learn(name, version)
        if facts.problem:
            raise Unfit(
                f"{self.shown(version.key)} {facts.problem}, so it is not known where the log ends "
                "there: see what verify says of it, and ship to another prefix"
            )
        return Head(name.last, facts.last_hash)

    def origins(self) -> list[str]:
        """Return the logs that are here, also those that a delete marker hides."""
        found = []
        for page in self._pages(self.prefix, Delimiter="/"):
            for common in page.get("CommonPrefixes", ()):
                with contextlib.suppress(ValueError):  # something else's
                    found.append(decode_origin(common["Prefix"][len(self.prefix) : -1]))
        return sorted(found)

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Read entries from `start` on, in order, as they stand there, verified by nobody.

        Where segments overlap, each entry is returned once: that of a segment that a digest lists,
        of the oldest one otherwise. What cannot be read is left out, and :meth:`inspect` names it.
        """
        base = self.base(origin)
        segments = self._standing(base, SEGMENTS)
        pending = deque(sorted(segments, key=lambda item: item[0].first))
        active: list[tuple[Name, Version]] = []
        listed: set[str] | None = None
        with ThreadPoolExecutor(_AHEAD) as pool:
            fetched: dict[Version, Future[tuple[Facts, list[Record]]]] = {}

            def content(name: Name, version: Version) -> list[Record]:
                for ahead in ((name, version), *islice(pending, _AHEAD)):
                    if ahead[1] not in fetched:
                        fetched[ahead[1]] = pool.submit(self.read, *ahead)
                facts, records = fetched.pop(version).result()
                self.facts[version.key, version.id] = facts
                return records

            while pending or active:
                while pending and (pending[0][0].first <= start or not active):
                    active.append(pending.popleft())
                active = [item for item in active if item[0].last >= start]
                if not active:
                    continue
                if active[0][0].first > start:  # nothing holds `start`: a gap
                    start = active[0][0].first
                    continue
                chosen = active[0]
                if len(active) > 1:
                    if listed is None:
                        listed = self._listed(base)
                    known = listed
                    chosen = min(
                        active, key=lambda item: (item[0].format() not in known, item[1].modified)
                    )
                active.remove(chosen)
                for record in content(*chosen):
                    if record.seq >= start:
                        yield record
                        start = record.seq + 1

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """Read all checkpoints over entries that stand there, by size.

        What is none counts for nothing, as anybody may put it: :meth:`inspect` names it.
        """
        base, size = self.base(origin), self._find_head(origin).seq + 1
        for name, version in self._standing(base, CHECKPOINTS):
            if name.first <= size:
                with contextlib.suppress(ValueError):
                    yield parse_checkpoint(self.fetch(version)[1], name)

        for key, versions in self.grouped(f"{base}{ANCHORED}/").items():
            match = ANCHORED_NAME.fullmatch(key[len(base) :])
            if match and int(match[1]) <= size:
                standing = next((one for one in versions if not one.marker), None)
                if standing is not None:
                    name = Name(CHECKPOINTS, int(match[1]), int(match[1]))
                    with contextlib.suppress(ValueError):  # inspect() names it
                        yield parse_checkpoint(self.fetch(standing)[1], name)

    def inspect(self, origin: str) -> list[Fault]:
        """Name what is missing, replaced, added, deleted or not locked as the policy has it.

        Objects that no digest lists yet are in order for the time of `digest_interval` and
        `slack`. Call it after :meth:`records`, which spares reading everything twice.
        """
        from chained_logging.ship.s3_inspect import Inspection

        return Inspection(self, origin).run()

    # --- Putting.

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        """Store entries, see :class:`chained_logging.ship.Destination`: one segment.

        :raises ValueError: for more than :data:`MAX_ENTRIES` or :data:`MAX_CONTENT`.
        """
        head = self._heads.get(origin) or self.head(origin)
        end = records[-1].seq if records else head.seq
        if records:
            self._check_next(head, records)
        with contextlib.suppress(Refused):  # that no digest can be made does not stop the log
            self.tend(origin)  # what was put an interval ago is listed before there is more
        for checkpoint in checkpoints:
            if checkpoint.size > end + 1:
                raise Unfit(f"the checkpoint over {checkpoint.size} entries covers none of these")
        try:
            for checkpoint in checkpoints:
                self._put_checkpoint(origin, checkpoint)
            if records:
                self._put_segment(origin, records)
                self._heads[origin] = Head(end, records[-1].hash)
        except BaseException:
            self._heads.pop(origin, None)
            raise

    def _check_next(self, head: Head, records: Sequence[Record]) -> None:
        first, prev_hash = chain.position(records[0].body)
        if (first, prev_hash) != (head.seq + 1, head.hash):
            raise Unfit(
                f"{self.name} holds another history: entry {first} does not follow its entry "
                f"{head.seq} with the hash {head.hash}"
            )
        if [record.seq for record in records] != list(range(first, first + len(records))):
            raise Unfit(f"the entries from {first} on have a gap")

    def _put_segment(self, origin: str, records: Sequence[Record]) -> None:
        if len(records) > MAX_ENTRIES:
            raise ValueError(f"a segment has at most {MAX_ENTRIES} entries, not {len(records)}")
        lines = [chain.stored_line(*record[1:]) + b"\n" for record in records]
        content = b"".join(lines)
        if len(content) > MAX_CONTENT:
            raise ValueError(f"a segment has at most {MAX_CONTENT} bytes, not {len(content)}")
        self._put(origin, Name(SEGMENTS, records[0].seq, records[-1].seq), gzip_of(content))

    def _put_checkpoint(self, origin: str, checkpoint: StoredCheckpoint) -> None:
        name = Name(CHECKPOINTS, checkpoint.size, checkpoint.size)
        data = chain.canonical(checkpoint.to_dict()) + b"\n"
        # Asked first, as it may well stand there, and a server may not know If-None-Match.
        if checkpoint.size <= self._checkpoint.get(origin, -1):
            standing = self._oldest(self.base(origin) + name.format())
            if standing is not None:
                found = self.fetch(standing)[1]
                if found != data:
                    self._put_anchored(origin, name, checkpoint, found, data)
                return
        self._put(origin, name, data)
        self._checkpoint[origin] = max(checkpoint.size, self._checkpoint.get(origin, -1))

    def _put_anchored(
        self, origin: str, name: Name, checkpoint: StoredCheckpoint, found: bytes, data: bytes
    ) -> None:
        """Put a checkpoint once more, with what others signed of it since.

        No digest lists it: who signed it, and that it is the same one, it shows by itself.

        :raises Refused: if it is not the one that stands there.
        """
        try:
            same = parse_checkpoint(found, name).note.rpartition("\n\n")[0]
        except ValueError:
            same = None
        if same != checkpoint.note.rpartition("\n\n")[0]:
            key = self.base(origin) + name.format()
            raise Unfit(f"{self.shown(key)} is another checkpoint of this size")
        policy = self._policy or self._read_policy()
        key = self.base(origin) + anchored_name(name.first, data)
        self._put_object(key, data, policy.mode, self.clock() + policy.days * _DAY)

    def _put(self, origin: str, name: Name, data: bytes) -> None:
        """Put an object once, locked. If it stands there already with this content, it is put.

        :raises Stands: if it has another content.
        """
        policy = self._policy or self._read_policy()
        key = self.base(origin) + name.format()
        until = self.clock() + policy.days * _DAY
        # Before: a put whose answer is lost may have been done.
        self._undigested[origin] = self._undigested.get(origin, 0) + 1
        if self._undigested[origin] >= MAX_LISTED:
            self._due[origin] = 0
        id = self._put_object(key, data, policy.mode, until)
        if id is None:
            standing = self._oldest(key)
            if standing is None:
                raise DestinationError(f"{self.shown(key)} was there, and is not: try again")
            _, found = self.fetch(standing)
            same = found == data or (name.kind == SEGMENTS and unpack(found) == unpack(data))
            if not same:
                raise Stands(f"{self.shown(key)} stands there already, with other content")
            return
        self._own[key, id], _ = describe(name, data, None, None)

    def _put_object(self, key: str, data: bytes, mode: str, until: float) -> str | None:
        """Return the new version's ID, None if the key stands there already."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        with self._asking(f"{self.shown(key)} was not stored", silent=("PreconditionFailed",)):
            answer = self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=digest,
                ObjectLockMode=mode,
                ObjectLockRetainUntilDate=datetime.fromtimestamp(until, UTC),
            )
            return str(answer.get("VersionId", "null"))
        return None

    # --- Digests.

    def tend(self, origin: str) -> None:
        """Make the digest that is due: each `digest_interval`, even if nothing was put.

        It lists what leads to the head that :meth:`head` returned or :meth:`write` stored, entry
        by entry: whoever calls this has compared that head with the log. So an object that
        somebody else put is never listed by us.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if a digest cannot be signed.
        """
        if origin in self._heads and self.clock() >= self._due.get(origin, 0):
            self._make_digests(origin)

    def remember(self, origin: str, place: Mapping[str, Any]) -> None:
        """Take back what :attr:`place` was, for one origin of it.

        The next digest goes on from there, and :meth:`inspect` compares.

        :raises ValueError: if it is no such value.
        """
        if origin in place:
            self.place[origin] = Place.from_json(place[origin]).to_json()

    def close(self) -> None:
        """Make a last digest, if objects were put since the newest one, and let go."""
        for origin in [origin for origin, count in self._undigested.items() if count]:
            # A server that is down: the next shipper lists them.
            with contextlib.suppress(DestinationError, Refused):
                if origin in self._heads:
                    self._make_digests(origin, last=True)
        if self._made is not None:
            self._made.close()

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
        policy = self._read_policy(renew=True)
        number = place.number + 1 if place else 0
        for begin in range(0, max(1, len(unlisted)), MAX_LISTED):
            part = unlisted[begin : begin + MAX_LISTED]
            head = place.head if place else EMPTY
            size = place.checkpoint if place else -1
            for name, version in part:
                if name.kind == SEGMENTS:
                    head = Head(name.last, self._learn(name, version).last_hash)
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
        if self._oldest(key) is None:
            self._put(origin, name, data)
        standing = self._oldest(key)
        if standing is None or self.fetch(standing)[1] != data:
            raise Stands(f"{self.shown(key)} stands there already: no digest of ours can be put")

    def _entry(self, name: Name, version: Version) -> Listed:
        facts = self._learn(name, version)
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
        number = self._last_number(self.base(origin), DIGESTS)
        unsigned = None
        for candidate in range(number, max(-1, number - _TRIES), -1):
            if found := self._genuine(origin, candidate):
                if found.place.signed or self.signer is None:
                    return found.place
                unsigned = unsigned or found.place
        return unsigned

    def _genuine(self, origin: str, number: int) -> _Genuine | None:
        """Return digest `number`, None if it is none or, where we sign, is signed by another."""
        standing = self._oldest(self.base(origin) + Name(DIGESTS, number, number).format())
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
            verify_note(note, [VerifierKey.parse(key) for key in self._keys(origin)])

    def _keys(self, origin: str) -> list[str]:
        """Return the public keys that the log names, as vkeys. It is read for that."""
        found = dict.fromkeys(
            key
            for name, version in self._standing(self.base(origin), SEGMENTS)
            for key in self._learn(name, version).keys
        )
        return list(found)

    def _unlisted(self, origin: str, place: Place | None) -> list[tuple[Name, Version]]:
        """Return what leads from the newest digest to the head, and the checkpoints over that.

        It goes backward from the head, whose hash is known to be the log's: each entry names the
        hash of the one before, so that a forged segment is never taken for one of ours.
        """
        base, (seq, hash) = self.base(origin), self._heads[origin]
        done = place.head.seq if place else -1
        segments = self._standing(base, SEGMENTS, done - MAX_ENTRIES)
        found: list[tuple[Name, Version]] = []
        while seq > done:
            for name, version in segments:
                if name.first <= seq <= name.last <= self._heads[origin].seq:
                    facts = self._learn(name, version)
                    at_end = name.last == seq and facts.last_hash == hash
                    if not facts.problem and (at_end or self._holds(name, version, seq, hash)):
                        found.append((name, version))
                        seq, hash = name.first - 1, facts.first_prev
                        break
            else:
                break  # it is gone, and inspect() will miss it
        size = place.checkpoint if place else -1
        for name, version in self._standing(base, CHECKPOINTS, size):
            if name.first <= self._heads[origin].seq + 1 and not self._learn(name, version).problem:
                found.append((name, version))
        # By the number of entries, so that a digest that is full is in order all the same.
        return sorted(found, key=lambda item: (item[0].last + (item[0].kind == SEGMENTS), item[0]))

    def _holds(self, name: Name, version: Version, seq: int, hash: str) -> bool:
        _, records = self.read(name, version)
        return any(record.seq == seq and record.hash == hash for record in records)

    def _listed(self, base: str) -> set[str]:
        """Return the names that digests list."""
        found: set[str] = set()
        for _, version in self._standing(base, DIGESTS):
            with contextlib.suppress(ValueError):
                digest, _ = parse_digest(self.fetch(version)[1])
                found.update(listed.name for listed in digest.objects)
        return found

    # --- Legal hold.

    def legal_hold(self, origin: str, on: bool) -> int:
        """Put a legal hold on every version of every object of an origin, or take it off.

        While it is on, none of them can be deleted, whatever the retention. Objects that are
        shipped later are held from the next call on.

        :returns: how many versions that were.
        :raises DestinationError: if S3 cannot be asked now, or does not allow it.
        """
        versions = [
            version
            for group in self.grouped(self.base(origin)).values()
            for version in group
            if not version.marker
        ]
        for version in versions:
            with self._asking(f"{self.shown(version.key)} could not be held"):
                self._client.put_object_legal_hold(
                    Bucket=self.bucket,
                    Key=version.key,
                    VersionId=version.id,
                    LegalHold={"Status": "ON" if on else "OFF"},
                )
        return len(versions)

    # --- The policy and the bucket.

    def _read_policy(self, renew: bool = False) -> Policy:
        """Return the policy that is in force.

        :param renew: lock its object for as long as what is put now, if that is a day longer.
        :raises Refused: if there is none.
        """
        versions = self.policies()
        policy = strongest([policy for _, policy in versions if policy])
        if policy is None:
            raise Refused(f"{self.name} has no policy: prepare it with chained-logging init")
        self._policy = policy
        until = self.clock() + policy.days * _DAY
        for version, valid in versions if renew else ():
            if valid is not None and valid.covers(policy):  # what was replaced need not be kept
                self._lock_for_longer(version, policy.mode, until)
        return policy

    def _lock_for_longer(self, version: Version, mode: str, until: float) -> None:
        """Lock the policy's object until then. A shipper that may not do that only says so."""
        facts, _ = self.fetch(version)
        if facts.until is not None and facts.until >= until - _DAY:
            return
        try:
            with self._asking(f"{self.shown(version.key)} could not be locked for longer"):
                self._client.put_object_retention(
                    Bucket=self.bucket,
                    Key=version.key,
                    VersionId=version.id,
                    Retention={
                        "Mode": mode,
                        "RetainUntilDate": datetime.fromtimestamp(until, UTC),
                    },
                )
        except DestinationError as error:
            _log.warning("%s: run init again, as who may do that", error)

    def policies(self) -> list[tuple[Version, Policy | None]]:
        """Return the versions of the policy's object, first to last; None for what is none."""
        found: list[tuple[Version, Policy | None]] = []
        for version in self.grouped(self.prefix + POLICY).get(self.prefix + POLICY, ()):
            if not version.marker:
                try:
                    found.append((version, Policy.parse(self.fetch(version)[1])))
                except ValueError:
                    found.append((version, None))
        return found

    def bucket_state(self) -> tuple[bool, bool, str | None]:
        """Return whether versioning is on, whether Object Lock is, and its default retention.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if there is no such bucket.
        """
        with self._asking(f"{self.name} cannot be asked for its versioning"):
            versioning = self._client.get_bucket_versioning(Bucket=self.bucket)
        lock: dict[str, Any] = {}
        silent = ("ObjectLockConfigurationNotFoundError",)
        with self._asking(f"{self.name} cannot be asked for its Object Lock", silent=silent):
            answer = self._client.get_object_lock_configuration(Bucket=self.bucket)
            lock = answer["ObjectLockConfiguration"]
        rule = lock.get("Rule", {}).get("DefaultRetention")
        default = None
        if rule:
            years = rule.get("Years")
            period = f"{years} years" if years else f"{rule.get('Days')} days"
            default = f"{rule.get('Mode')} {period}"
        enabled = lock.get("ObjectLockEnabled") == "Enabled"
        return versioning.get("Status") == "Enabled", enabled, default

    def put_policy(self, policy: Policy) -> None:
        """Add a version of the policy's object, locked as it says."""
        key, until = self.prefix + POLICY, self.clock() + policy.days * _DAY
        data = policy.format()
        with self._asking(f"{self.shown(key)} was not stored"):
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
                ObjectLockMode=policy.mode,
                ObjectLockRetainUntilDate=datetime.fromtimestamp(until, UTC),
            )

    # --- Reading.

    def base(self, origin: str) -> str:
        """Return what the keys of an origin begin with.

        :raises Refused: if they would be longer than S3 takes.
        """
        base = f"{self.prefix}{encode_origin(origin)}/"
        if len((base + Name(SEGMENTS, 0, 0).format()).encode()) > MAX_KEY:
            raise Unfit(f"the origin {origin[:40]!r}… is too long for a key of S3")
        return base

    def shown(self, key: str) -> str:
        """Return the URL of an object, to be shown."""
        return f"s3://{self.bucket}/{key}"

    def fetch(self, version: Version) -> tuple[Facts, bytes]:
        """Read a version. Its facts are those of any object, not of its kind.

        No more than a byte beyond :data:`MAX_CONTENT` is read: its facts say so.

        :raises DestinationError: if it cannot be read now.
        """
        with self._asking(f"{self.shown(version.key)} cannot be read"):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=version.key, VersionId=version.id
            )
            with contextlib.closing(answer["Body"]) as body:
                data = body.read(MAX_CONTENT + 1)
        whole = len(data) == answer["ContentLength"]
        if not whole and len(data) <= MAX_CONTENT:
            raise DestinationError(f"{self.shown(version.key)} came incomplete")
        until = answer.get("ObjectLockRetainUntilDate")
        sha256 = hashlib.sha256(data).hexdigest()
        return Facts(
            sha256,
            len(data),
            sha256,
            answer.get("ObjectLockMode"),
            until.timestamp() if until else None,
            None if len(data) <= MAX_CONTENT else f"has more than {MAX_CONTENT} bytes",
        ), data

    def _learn(self, name: Name, version: Version) -> Facts:
        """Return the facts of an object, read unless it was put or read here before."""
        known = version.key, version.id
        if known not in self._own:
            self._own[known], _ = self.read(name, version)
        return self._own[known]

    def read(self, name: Name, version: Version) -> tuple[Facts, list[Record]]:
        """Read an object, and its entries up to the first thing that is wrong, if it is a segment.

        Several threads may do this.
        """
        facts, data = self.fetch(version)
        if facts.problem:
            return facts, []
        return describe(name, data, facts.mode, facts.until)

    def grouped(self, prefix: str) -> dict[str, list[Version]]:
        """Return the versions of every key with a prefix, by key, the oldest first."""
        found: dict[str, list[Version]] = {}
        for page in self._pages(prefix):
            for version in _versions(page):
                found.setdefault(version.key, []).append(version)
        for versions in found.values():
            # S3 lists the newest first. Its times have but seconds.
            versions.reverse()
            versions.sort(key=lambda version: version.modified)
        return found

    def _oldest(self, key: str) -> Version | None:
        versions = self.grouped(key).get(key, ())
        return next((version for version in versions if not version.marker), None)

    def _standing(self, base: str, kind: str, after: int = -1) -> list[tuple[Name, Version]]:
        """Return the oldest version of each object of a kind, by number, from above one on."""
        oldest: dict[str, Version] = {}
        more = {}
        if after >= 0:
            # A key that is there, where one can be told: some servers lose one object else.
            exact = Name(kind, after, after).format()
            more["KeyMarker"] = base + (f"{kind}/{after:020d}~" if kind == SEGMENTS else exact)
        for page in self._pages(f"{base}{kind}/", **more):
            for version in _versions(page):
                if not version.marker:
                    known = oldest.get(version.key)
                    if known is None or version.modified <= known.modified:
                        oldest[version.key] = version
        named = ((Name.parse(key[len(base) :]), oldest[key]) for key in oldest)
        return sorted(
            (name, version) for name, version in named if name is not None and name.first > after
        )

    def _pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        """List the versions under a prefix, a page of at most 1,000 at a time.

        :raises DestinationError: if S3 cannot be asked now, or the listing is none that ends.
        """
        for _ in range(_MAX_PAGES):
            with self._asking(f"{self.name} cannot be listed"):
                page = self._client.list_object_versions(
                    Bucket=self.bucket, Prefix=prefix, MaxKeys=self._page, **more
                )
            self._check_page(prefix, page)
            yield page
            if not page.get("IsTruncated"):
                return
            before = more.get("KeyMarker", ""), more.get("VersionIdMarker")
            after = page.get("NextKeyMarker") or "", page.get("NextVersionIdMarker")
            # Keys come in order, the versions of one in any.
            if after[0].encode() < before[0].encode() or after == before:
                break
            more["KeyMarker"] = after[0]
            more.pop("VersionIdMarker", None)
            if after[1]:
                more["VersionIdMarker"] = after[1]
        raise DestinationError(f"{self.name} cannot be listed: the listing does not end")

    def _check_page(self, prefix: str, page: Mapping[str, Any]) -> None:
        """Check that a listing has what is read of it, under the prefix that was asked for.

        :raises DestinationError: if it has not.
        """
        try:
            keys = [version.key for version in _versions(page)]
            keys += [common["Prefix"] for common in page.get("CommonPrefixes", ())]
            right = all(key.startswith(prefix) for key in keys)
        except (AttributeError, KeyError, TypeError):
            right = False
        if not right:
            raise DestinationError(
                f"{self.name} cannot be listed: the listing is none of the keys under {prefix!r}"
            )

    def _last_number(self, base: str, kind: str) -> int:
        """Return the largest number of a kind of object, -1 if there is none.

        S3 lists upward only. A year has half a million segments: this asks some dozen times.
        """
        low, high, step = -1, MAX_SIZE + 1, 1
        probe = 0
        for _ in range(_MAX_PROBES):
            more = {"KeyMarker": f"{base}{kind}/{probe:020d}"} if probe else {}
            page = next(self._pages(f"{base}{kind}/", **more))
            names = [Name.parse(version.key[len(base) :]) for version in _versions(page)]
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

    # --- The client.

    @property
    def _client(self) -> Any:
        if self._made is None:
            import boto3  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

            config = Config(
                connect_timeout=5,
                read_timeout=30,
                max_pool_connections=_AHEAD + 2,
                retries={"mode": "standard", "total_max_attempts": 3},
                # Our own checksum is enough, and older servers do not know those of boto3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # So that a server that knows no checksums verifies the bytes all the same.
                s3={"payload_signing_enabled": True},
            )
            try:
                self._made = boto3.session.Session().client("s3", config=config)
            except (BotoCoreError, ValueError) as error:
                raise Refused(f"boto3 cannot be set up for {self.name}: {error}") from None
        return self._made

    @contextlib.contextmanager
    def _asking(self, sentence: str, silent: Iterable[str] = ()) -> Iterator[None]:
        """Turn boto3's errors into ours.

        :param silent: codes after which to go on behind the block.
        """
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            answer = error.response.get("Error", {})
            code, said = str(answer.get("Code")), str(answer.get("Message") or "")[:200]
            if code in silent:
                return
            if code in _FINAL:
                raise Refused(f"{sentence}: {_FINAL[code]} ({code})") from None
            raise DestinationError(f"{sentence}: {code}{': ' if said else ''}{said}") from None
        except (BotoCoreError, HTTPClientError) as error:
            said = re.sub("//[^/@ ]*@", "//", str(error))  # an endpoint may have a password in it
            raise DestinationError(f"{sentence}: {said}") from None


class _Genuine(NamedTuple):
    """A digest that may be ours."""

    place: Place
    previous: str | None


class Stands(Unfit):
    """An object is there already, and is another one."""


def init(url: str, *, retention: str, mode: str = "COMPLIANCE") -> list[str]:
    """Prepare a bucket for logs: check it, and write the policy that every object follows.

    :param retention: a period, see :func:`chained_logging.review.retention.retention_days`.
    :param mode: ``COMPLIANCE``: nobody can shorten the retention or delete before its end, not the
        root account either. ``GOVERNANCE``: whoever has the permission can.
    :returns: what is missing, and the command that sets it; nothing if it is ready. The bucket
        itself is never changed.
    :raises ValueError: if the URL, the period or the mode is none.
    :raises Refused: if it has a policy already that is longer or firmer.
    :raises DestinationError: if S3 cannot be asked now.
    """
    wanted = Policy(retention_days(retention), mode.upper())
    destination = S3Destination(url)
    bucket = destination.bucket
    try:
        try:
            versioning, lock, default = destination.bucket_state()
        except Refused as error:
            if "NoSuchBucket" not in str(error):
                raise
            return [
                f"{error}; create it with: aws s3api create-bucket --bucket {bucket} "
                "--object-lock-enabled-for-bucket"
            ]
        missing = []
        if not versioning:
            missing.append(
                f"versioning is not on; set it with: aws s3api put-bucket-versioning --bucket "
                f"{bucket} --versioning-configuration Status=Enabled"
            )
        if not lock:
            missing.append(
                "Object Lock is not on; set it with: aws s3api put-object-lock-configuration "
                f"--bucket {bucket} --object-lock-configuration ObjectLockEnabled=Enabled (a "
                "server that takes this for new buckets only needs a new one)"
            )
        if missing:
            return missing
        known = strongest([policy for _, policy in destination.policies() if policy])
        if known is not None and not wanted.covers(known):
            raise Refused(
                f"{destination.name} has a policy of {known.days} days in mode {known.mode}, which "
                f"is not shortened or weakened to {wanted.days} days in mode {wanted.mode}"
            )
        wanted = Policy(wanted.days, wanted.mode, default)
        if known != wanted:
            destination.put_policy(wanted)
        else:
            destination._read_policy(renew=True)
        return []
    finally:
        destination.close()


def strongest(policies: Sequence[Policy]) -> Policy | None:
    """Return what several versions of a policy come to: the longest period, the firmest mode."""
    if not policies:
        return None
    days = max(policy.days for policy in policies)
    mode = max((policy.mode for policy in policies), key=MODES.index)
    return Policy(days, mode, policies[-1].default)


# --- Contents.


def gzip_of(content: bytes) -> bytes:
    """Return bytes as gzip, without a time in it: the same content is the same object."""
    return gzip.compress(content, 6, mtime=0)


def unpack(data: bytes) -> tuple[bytes, str | None]:
    """Return what a segment's object holds, and what is wrong with it.

    At most :data:`MAX_CONTENT` bytes are unpacked, whatever the object claims.
    """
    unzip = zlib.decompressobj(31)
    try:
        content = unzip.decompress(data, MAX_CONTENT + 1)
    except zlib.error:
        return b"", "is not gzip, or damaged"
    if len(content) > MAX_CONTENT:
        return b"", f"unpacks to more than {MAX_CONTENT} bytes"
    if not unzip.eof:
        return content, "is cut short"
    return content, "has something after its end" if unzip.unused_data else None


def entries(content: bytes, name: Name) -> tuple[list[Record], str | None]:
    """Return a segment's entries up to the first thing that is wrong, and what that is.

    The hash of each is that of its body, and names the one before.
    """
    lines = content.split(b"\n")
    rest = lines.pop()
    found: list[Record] = []
    for seq, line in enumerate(lines, name.first):
        if seq > name.last:
            return found, f"goes on after entry {name.last}"
        if len(line) > _MAX_LINE:
            return found, f"has a line that is longer than an entry, in place of entry {seq}"
        try:
            body, hash, signature = chain.split_line(line)
            at, prev_hash = chain.position(body)
        except ValueError:
            return found, f"has a line that is no entry, in place of entry {seq}"
        if at != seq:
            return found, f"has entry {at} in place of entry {seq}"
        if chain.leaf_hash(body) != hash:
            return found, f"has an entry {seq} whose hash is not that of its body"
        if found and prev_hash != found[-1].hash:
            return found, f"has an entry {seq} that is not chained to the one before"
        found.append(Record(seq, body, hash, signature))
    if rest or len(found) <= name.last - name.first:
        return found, f"ends before entry {name.first + len(found)}"
    return found, None


def parse_checkpoint(data: bytes, name: Name) -> StoredCheckpoint:
    """Return the checkpoint that an object's content is, as the log kept it.

    :raises ValueError: if it is none, or of another size.
    """
    if len(data) > MAX_NOTE:
        raise ValueError(f"it has more than {MAX_NOTE} bytes")
    try:
        found = StoredCheckpoint(**json.loads(data))
        if chain.canonical(found.to_dict()) + b"\n" != data:
            raise ValueError("it is not in canonical form")
        frontier(found)
    except (TypeError, AttributeError, RecursionError):
        raise ValueError("its fields are not those of a checkpoint") from None
    except OSError as error:
        raise ValueError(str(error)) from None
    if found.size != name.first:
        raise ValueError("it is of another size")
    return found


def describe(
    name: Name, data: bytes, mode: str | None, until: float | None
) -> tuple[Facts, list[Record]]:
    """Return the facts of an object's content, and its entries if it is a segment."""
    sha256 = hashlib.sha256(data).hexdigest()
    if name.kind != SEGMENTS:
        problem = None
        if name.kind == CHECKPOINTS:
            try:
                parse_checkpoint(data, name)
            except ValueError as error:
                problem = f"is no checkpoint: {error}"
        return Facts(sha256, len(data), sha256, mode, until, problem), []
    content, problem = unpack(data)
    records, wrong = entries(content, name)
    facts = Facts(
        sha256,
        len(data),
        hashlib.sha256(content).hexdigest(),
        mode,
        until,
        problem or wrong,
        chain.position(records[0].body)[1] if records else "",
        records[-1].hash if records else "",
        tuple(_named_keys(records)),
    )
    return facts, records


def log_key(origin: str, signer: Signer) -> VerifierKey:
    """Return the key by which a log's digests are verified: its own."""
    return VerifierKey(origin, ED25519, signer.public_key)


def _named_keys(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        if record.body.startswith(_NAMED_KEY):
            entry = AuditEntry(record.body, record.hash)
            with contextlib.suppress(ValueError, AttributeError, KeyError):
                if (entry.actor_id, entry.actor_type) == (OURSELVES, "system"):
                    key = entry.context.get("public_key")
                    if key:
                        yield VerifierKey.parse(key).format()


def _versions(page: Mapping[str, Any]) -> Iterator[Version]:
    for found in page.get("Versions", ()):
        yield Version(found["Key"], found["VersionId"], found["LastModified"].timestamp())
    for found in page.get("DeleteMarkers", ()):
        yield Version(found["Key"], found["VersionId"], found["LastModified"].timestamp(), True)


def _split(url: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a URL; the prefix ends with a slash, or is empty."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(
            "a place in S3 is s3://bucket/prefix, without a user, a password or a query: "
            "credentials and endpoint are found where boto3 finds them"
        )
    prefix = (found[2] or "").strip("/")
    return found[1], f"{prefix}/" if prefix else ""


_URL = re.compile(r"[sS]3://([a-z0-9][a-z0-9.\-]{1,62})(?:/([A-Za-z0-9!_.*'()/\-]*))?")


def _require_boto3() -> None:
    try:
        import boto3  # noqa: F401
    except ImportError:
        raise ImportError("S3 needs boto3: pip install chained_logging[s3]") from None
