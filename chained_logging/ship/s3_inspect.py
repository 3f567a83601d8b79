"""What is wrong with a log's objects in S3, beyond the entries in them.

The bucket's settings, the policy, every version of every object, their locks and the digests are
compared with each other, and with what is remembered of the digests. Each difference is a
:class:`chained_logging.verify.Fault`, of one of these kinds:

======================  ==========================================================================
``missing``             an object that a digest lists, or a digest, is not there
``replaced``            it is there with other content, or was put anew with other content
``added``               it is there, and no digest lists it although a later one could
``deleted``             there is a delete marker over it; what is below is still there
``undigested``          objects are older than a digest may take, and there is no digest
``digest``              a digest is no digest, or does not follow the one before
``signature``           a digest is not signed by a key that the log names
``retention``           a lock ends sooner, or is weaker, than the policy has it
``unlocked``            an object has no lock
``conflict``            two segments hold different entries of one number
``unreadable``          a segment or a checkpoint is not what its name says
``policy``              the policy is not there, was replaced, or is not what digests state
``bucket``              versioning or Object Lock is not on, or its default was changed
======================  ==========================================================================
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from chained_logging.notes import Note, NoteError, VerifierKey, verify_note
from chained_logging.ship.digest import (
    ANCHORED_NAME,
    CHECKPOINTS,
    DIGESTS,
    MODES,
    SEGMENTS,
    Digest,
    Listed,
    Name,
    Place,
    Policy,
    SignedDigest,
    anchored_name,
    breaks,
    parse_digest,
    parse_time,
)
from chained_logging.sinks import Record
from chained_logging.verify import FOREIGN, Fault

if TYPE_CHECKING:
    from chained_logging.ship.s3 import Facts, S3Destination, Version

_DAY = 86_400
_AHEAD = 8


class Inspection:
    """One look at one origin. :meth:`run` is called once."""

    def __init__(self, store: S3Destination, origin: str) -> None:
        self.store = store
        self.origin = origin
        self.base = store.base(origin)
        self.now = store.clock()
        self.patience = store.digest_interval + store.slack
        """How old an object may be that no digest lists."""
        self.faults: list[Fault] = []
        self.objects: dict[Name, tuple[Version, Facts]] = {}
        """What stands: the oldest version of each object of this layout."""
        self.digests: dict[int, tuple[Version, Facts, Digest, Note | None]] = {}
        self.listed: dict[Name, tuple[Listed, int]] = {}
        """What digests list, with the digest's number."""
        self.policies: list[tuple[Version, Policy]] = []

    def run(self) -> list[Fault]:
        """Return everything that is wrong.

        :raises DestinationError: if S3 cannot be asked now.
        """
        self.check_policy()
        self.check_bucket()
        self.read_objects()
        self.check_digests()
        self.set_foreign_aside()
        self.check_place()
        self.check_listed()
        self.check_unlisted()
        self.check_overlaps()
        self.check_checkpoints()
        self.store.facts.clear()  # locks may change before the next time
        return self.faults

    def fault(self, kind: str, key: str, reason: str, seq: int | None = None) -> None:
        """Note something that is wrong with the object of a key."""
        self.faults.append(Fault(kind, self.store.shown(key), None, seq, None, reason))

    # --- The bucket and the policy.

    def check_policy(self) -> None:
        """Check that the policy stands, and was only ever made longer or firmer."""
        from chained_logging.ship.s3 import POLICY

        key = self.store.prefix + POLICY
        for version, policy in self.store.policies():
            known = self.policies[-1][1] if self.policies else None
            if policy is None:
                self.fault("policy", key, f"version {version.id} is no policy")
            elif known is not None and not policy.covers(known):
                self.fault(
                    "policy",
                    key,
                    f"it was replaced by one of {policy.days} days in mode {policy.mode}, which "
                    f"is less than {known.days} days in mode {known.mode}",
                )
            else:
                self.policies.append((version, policy))
                facts, _ = self.store.fetch(version)
                self.check_lock(version, facts)
        if not self.policies:
            self.fault("policy", key, "there is none: it was deleted, or never prepared by init")
        for version in self.store.grouped(key).get(key, ()):
            if version.marker:
                self.fault("deleted", key, "there is a delete marker over it")

    def check_bucket(self) -> None:
        """Check the bucket's versioning and Object Lock."""
        versioning, lock, default = self.store.bucket_state()
        if not versioning:
            self.fault("bucket", "", "versioning is not on: it was suspended, or never set")
        if not lock:
            self.fault("bucket", "", "Object Lock is not on")
        if self.policies and default != (known := self.policies[-1][1].default):
            self.fault(
                "bucket",
                "",
                f"the default retention is {default or 'none'}, and was {known or 'none'} when "
                "the policy was written",
            )

    def policy_at(self, moment: float) -> Policy | None:
        """Return the policy that was in force at a time: a shipper looks once an interval."""
        found = None
        for version, policy in self.policies:
            if found is None or version.modified <= moment - self.patience:
                found = policy
        return found

    def check_lock(self, version: Version, facts: Facts) -> None:
        """Check that an object is locked as the policy of its time has it."""
        policy = self.policy_at(version.modified)
        if policy is None:
            return
        end = version.modified + policy.days * _DAY - self.store.slack
        if end < self.now:
            return  # its time is over
        if facts.mode is None or facts.until is None:
            self.fault(
                "unlocked",
                version.key,
                "it shows no Object Lock (or these credentials lack s3:GetObjectRetention)",
            )
        elif facts.until < end:
            days = (facts.until - version.modified) / _DAY
            self.fault(
                "retention",
                version.key,
                f"its lock ends {days:.1f} days after it was put, and the policy has {policy.days}",
            )
        elif facts.mode not in MODES or MODES.index(facts.mode) < MODES.index(policy.mode):
            self.fault(
                "retention",
                version.key,
                f"its lock is in mode {facts.mode}, and the policy has {policy.mode}",
            )

    # --- The objects.

    def read_objects(self) -> None:
        """Read everything that stands, and look at the versions over it."""
        standing: list[tuple[Name, Version]] = []
        later: list[tuple[Name, list[Version]]] = []
        for key, versions in self.store.grouped(self.base).items():
            name = Name.parse(key[len(self.base) :])
            objects = [version for version in versions if not version.marker]
            if len(objects) < len(versions):
                below = "what it hides is still there" if objects else "and nothing below it"
                self.fault("deleted", key, f"there is a delete marker over it, {below}")
            if name is None and ANCHORED_NAME.fullmatch(key[len(self.base) :]):
                for version in objects:
                    self.check_anchored(version)
            elif name is None:
                self.fault("added", key, "it is none of the objects that are put here")
            elif objects:
                standing.append((name, objects[0]))
                later.append((name, objects))
        for name, version, facts in self._facts(standing):
            self.objects[name] = version, facts
            self.check_lock(version, facts)
            if facts.problem and name.kind != CHECKPOINTS:
                self.fault("unreadable", version.key, f"it {facts.problem}", name.first)
        for name, objects in later:
            self.check_later(name, objects)

    def _facts(
        self, standing: Iterable[tuple[Name, Version]]
    ) -> Iterator[tuple[Name, Version, Facts]]:
        """Return the facts of objects, several of which are read at a time."""

        def facts(name: Name, version: Version) -> Facts:
            known = self.store.facts.get((version.key, version.id))
            return known or self.store.read(name, version)[0]

        waiting = deque(standing)
        running: deque[tuple[Name, Version, Future[Facts]]] = deque()
        with ThreadPoolExecutor(_AHEAD) as pool:
            while waiting or running:
                while waiting and len(running) < 2 * _AHEAD:
                    name, version = waiting.popleft()
                    running.append((name, version, pool.submit(facts, name, version)))
                name, version, future = running.popleft()
                yield name, version, future.result()

    def check_later(self, name: Name, objects: list[Version]) -> None:
        """Name what was put over an object, if it is not the same once more."""
        if len(objects) == 1:
            return
        first, _ = self.store.read(name, objects[0])
        for later in objects[1:]:
            facts, _ = self.store.read(name, later)
            if facts.content != first.content and not self.raced(name, objects[0], later):
                self.fault(
                    "replaced",
                    later.key,
                    f"version {later.id} was put over it, with other content; the first one is "
                    "still there",
                    name.first,
                )

    def raced(self, name: Name, first: Version, later: Version) -> bool:
        """Whether two shippers put the same digest at the same time: no server need prevent it.

        The first one counts. What the other one lists, a later one lists too.
        """
        if name.kind != DIGESTS or later.modified - first.modified > self.store.slack:
            return False
        try:
            one, other = (parse_digest(self.store.fetch(v)[1]) for v in (first, later))
        except ValueError:
            return False
        if one.note is not None:
            try:
                if other.note is None:
                    return False
                verify_note(other.note, self.keys())
            except NoteError:
                return False
        same = ("origin", "number", "previous")
        return all(getattr(one.digest, field) == getattr(other.digest, field) for field in same)

    # --- The digests.

    def check_digests(self) -> None:
        """Check that the digests are a chain without a gap, made in time, signed by the log."""
        for name, (version, facts) in sorted(self.objects.items()):
            if name.kind == DIGESTS:
                read = self.read_digest(version, facts)
                if read is not None:
                    self.digests[name.first] = version, facts, *read
        keys = self.keys()
        signed = False
        before: tuple[Version, Facts, Digest, Note | None] | None = None
        for number, found in sorted(self.digests.items()):
            version, _, digest, note = found
            signed = signed or note is not None
            if (digest.origin, digest.number) != (self.origin, number):
                self.fault("digest", version.key, "it is of another log, or of another number")
            if signed:
                self.check_signature(version, note, keys)
            late = version.modified - parse_time(digest.end)
            if abs(late) > self.store.slack:
                self.fault(
                    "digest",
                    version.key,
                    f"it states that it was made at {digest.end}, and was put {late:.0f} s later",
                )
            self.check_link(number, found, before)
            before = found
            if number == max(self.digests) and self.store.signer is not None and not signed:
                self.fault("signature", version.key, "it is not signed, and this shipper signs")
            for listed in digest.objects:
                self.note_listed(listed, number, version)

    def read_digest(self, version: Version, facts: Facts) -> SignedDigest | None:
        """Return a digest, unless it is none."""
        _, data = self.store.fetch(version)
        try:
            if hashlib.sha256(data).hexdigest() != facts.sha256:
                raise ValueError("it changed while it was read")
            return parse_digest(data)
        except ValueError as error:
            self.fault("digest", version.key, str(error))
            return None

    def check_signature(self, version: Version, note: Note | None, keys: list[VerifierKey]) -> None:
        """Check that a digest is signed by one of the log's keys."""
        if note is None:
            self.fault("signature", version.key, "it is not signed, and others are")
            return
        try:
            verify_note(note, keys)
        except NoteError as error:
            self.fault("signature", version.key, str(error))

    def check_link(
        self,
        number: int,
        found: tuple[Version, Facts, Digest, Note | None],
        before: tuple[Version, Facts, Digest, Note | None] | None,
    ) -> None:
        """Check that a digest follows the one before."""
        version, _, digest, _ = found
        expected = before[2].number + 1 if before else 0
        if number > expected:
            # The front may be gone because its time is over.
            over = parse_time(digest.start) + digest.days * _DAY < self.now
            if before is not None or not over:
                missing = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
                self.fault(
                    "missing", version.key, f"digest {missing} before it is not there, or is none"
                )
        elif before is not None:
            for reason in breaks(before[2], before[1].sha256, digest):
                self.fault("digest", version.key, reason)
        elif digest.previous is not None:
            self.fault("digest", version.key, "it is the first one, and names one before")

    def check_anchored(self, version: Version) -> None:
        """Check a checkpoint that others signed since: that it is one, as its name says."""
        from chained_logging.ship.s3 import parse_checkpoint

        facts, data = self.store.fetch(version)
        self.check_lock(version, facts)
        name = version.key[len(self.base) :]
        size = int(name.split("/")[1][:20])
        try:
            parse_checkpoint(data, Name(CHECKPOINTS, size, size))
            if anchored_name(size, data) != name:
                raise ValueError("it has other content than its name says")
        except ValueError as error:
            self.fault(FOREIGN, version.key, f"{error}")

    def set_foreign_aside(self) -> None:
        """Name the checkpoints that neither a digest lists nor a key of the log signed.

        Anybody who may put can put one. It counts for nothing, and is no fault of the log.
        """
        keys = self.keys()
        end = max((name.last for name in self.objects if name.kind == SEGMENTS), default=-1) + 1
        for name, (version, facts) in list(self.objects.items()):
            if name.kind != CHECKPOINTS:
                continue
            if name in self.listed:
                if facts.problem:
                    self.fault("unreadable", version.key, f"it {facts.problem}", name.first)
            elif facts.problem:
                self.fault(FOREIGN, version.key, f"it {facts.problem}, and counts for nothing")
                del self.objects[name]
            elif not self.is_signed(name, version, keys):
                if name.first > end:  # the verifier sees the others
                    reason = "it is signed by none of the log's keys, and counts for nothing"
                    self.fault(FOREIGN, version.key, reason)
                del self.objects[name]

    def is_signed(self, name: Name, version: Version, keys: list[VerifierKey]) -> bool:
        """Whether one of these keys signed a checkpoint."""
        from chained_logging.ship.s3 import parse_checkpoint

        try:
            note = parse_checkpoint(self.store.fetch(version)[1], name).note
            verify_note(Note.parse(note.encode()), keys)
        except ValueError:  # a NoteError is one
            return False
        return True

    def note_listed(self, listed: Listed, number: int, version: Version) -> None:
        """Take over what a digest lists."""
        name = Name.parse(listed.name)
        if name is None or name.kind == DIGESTS:
            self.fault("digest", version.key, f"it lists {listed.name}, which is never listed")
        else:
            self.listed.setdefault(name, (listed, number))

    def keys(self) -> list[VerifierKey]:
        """Return the keys that the log names, and that of the signer that was given."""
        from chained_logging.ship.s3 import log_key

        named = [key for _, facts in self.objects.values() for key in facts.keys]
        found = {VerifierKey.parse(key): None for key in named}
        if self.store.signer is not None:
            found[log_key(self.origin, self.store.signer)] = None
        return list(found)

    def check_place(self) -> None:
        """Compare the digests with what is remembered of them."""
        kept = self.store.place.get(self.origin)
        if not kept:
            return
        place = Place.from_json(kept)
        key = self.base + Name(DIGESTS, place.number, place.number).format()
        found = self.digests.get(place.number)
        if found is None:
            if parse_time(place.end) + place.days * _DAY > self.now:
                self.fault("missing", key, "this digest was seen before, and is not there")
        elif found[1].sha256 != place.sha256:
            self.fault("replaced", key, "this digest was seen before, with other content")
        if self.policies and not self.policies[-1][1].covers(Policy(place.days, place.mode)):
            self.fault("policy", self.base, "the policy was longer or firmer when last seen")

    # --- The objects against the digests.

    def check_listed(self) -> None:
        """Name what a digest lists and is not there, or is there as another one."""
        spans: dict[str, list[float]] = {}
        for name, (listed, number) in self.listed.items():
            found = self.objects.get(name)
            made, _, digest, _ = self.digests[number]
            if found is None:
                if made.modified + digest.days * _DAY > self.now:
                    self.fault(
                        "missing",
                        self.base + listed.name,
                        f"digest {number} lists it, and it is not there",
                        name.first,
                    )
                continue
            version, facts = found
            if name.kind == SEGMENTS:  # a checkpoint may wait for its segment after a crash
                spans.setdefault(made.key, []).append(version.modified)
            if facts.sha256 != listed.sha256:
                self.fault(
                    "replaced",
                    version.key,
                    f"it has the SHA-256 {facts.sha256}, and digest {number} lists {listed.sha256}",
                    name.first,
                )
        for key, times in spans.items():
            if max(times) - min(times) > self.patience:
                self.fault(
                    "digest",
                    key,
                    "it lists objects from more than one interval, which digests that are gone "
                    "would have listed",
                )
        self.check_last_policy()

    def check_last_policy(self) -> None:
        """Compare the policy with what the newest digest states."""
        if self.digests and self.policies:
            last = self.digests[max(self.digests)][2]
            if not self.policies[-1][1].covers(Policy(last.days, last.mode)):
                self.fault(
                    "policy",
                    self.policies[-1][0].key,
                    f"digest {last.number} states {last.days} days in mode {last.mode}, and the "
                    "policy is less: it was replaced",
                )

    def check_unlisted(self) -> None:
        """Name what no digest lists, unless it is too new for one or the same once more."""
        newest = max((found[0].modified for found in self.digests.values()), default=None)
        size = max((found[2].head.seq + 1 for found in self.digests.values()), default=0)
        old: list[tuple[Name, Version]] = []
        for name, (version, facts) in sorted(self.objects.items()):
            if name.kind == DIGESTS or name in self.listed:
                continue
            if name.kind == CHECKPOINTS and name.first > size:
                continue  # listed with its entries; without them, see check_checkpoints()
            listing = newest is not None and version.modified + self.store.slack < newest
            if not listing and version.modified + self.patience >= self.now:
                continue  # the next digest lists it
            if name.kind == SEGMENTS and not facts.problem and self.repeats(name, version):
                continue
            if listing:
                self.fault(
                    "added",
                    version.key,
                    "no digest lists it, although a later one is there",
                    name.first,
                )
            else:
                old.append((name, version))
        if old:
            made = "there is none" if newest is None else f"the newest is {max(self.digests)}"
            self.fault(
                "undigested",
                old[0][1].key,
                f"{len(old)} objects from this one on are older than a digest may take, and no "
                f"digest lists them ({made}): the newest digests were deleted, or the shipper "
                "stopped right after it put them",
                old[0][0].first,
            )

    def repeats(self, name: Name, version: Version) -> bool:
        """Whether a segment holds nothing but what segments that a digest lists hold too."""
        others = [other for other in self.listed if overlap(other, name) and other in self.objects]
        known = {
            record.seq: record
            for other in others
            if other.kind == SEGMENTS
            for record in self.records(other)
        }
        return bool(known) and all(
            known.get(record.seq) == record for record in self.store.read(name, version)[1]
        )

    def check_overlaps(self) -> None:
        """Name segments that disagree on an entry."""
        segments = sorted(name for name in self.objects if name.kind == SEGMENTS)
        for index, name in enumerate(segments):
            records: dict[int, Record] | None = None
            # What begins before this one ends. None, if only one shipper runs.
            for other in islice(segments, index + 1, None):
                if not overlap(name, other):
                    break
                records = records or {r.seq: r for r in self.records(name)}
                differ = next(
                    (r.seq for r in self.records(other) if records.get(r.seq, r) != r), None
                )
                if differ is not None:
                    self.fault(
                        "conflict",
                        self.objects[other][0].key,
                        f"it holds another entry {differ} than {name.format()}",
                        differ,
                    )

    def records(self, name: Name) -> list[Record]:
        """Return the entries of a segment that stands."""
        return self.store.read(name, self.objects[name][0])[1]

    def check_checkpoints(self) -> None:
        """Name checkpoints over entries that are not there."""
        end = max((name.last for name in self.objects if name.kind == SEGMENTS), default=-1)
        for name, (version, _) in self.objects.items():
            beyond = name.kind == CHECKPOINTS and name.first > end + 1
            if beyond and version.modified + self.patience < self.now:
                self.fault(
                    "missing",
                    version.key,
                    f"it states {name.first} entries, and the segments end at entry {end}: the "
                    "last ones were deleted, or the shipper stopped before it put them",
                    end + 1,
                )


def overlap(one: Name, other: Name) -> bool:
    """Whether two segments have the numbers of an entry in common."""
    return one.first <= other.last and other.first <= one.last
