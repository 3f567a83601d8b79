"""What is wrong with a log's objects in S3, beyond the entries in them.

The bucket's settings, the policy, every version of every object, their locks and the digests are
compared with each other, and with what is remembered of the digests. Each difference is a
:class:`chained_logging.ship.fault.Fault`, of one of these kinds:

======================  ==========================================================================
``missing``             an object that a digest lists, or a digest, is not there
``replaced``            it is there with other content than the digest says
``added``               it is there, and no digest lists it although a later one could
``deleted``             there is a delete marker over it; what is below is still there
``undigested``          objects are older than a digest may take, and no digest lists them
``digest``              a digest does not follow the one before
``retention``           a lock ends sooner, or is weaker, than the policy has it
``unlocked``            an object has no lock
``hold``                a segment has entries under a hold of the log, and no legal hold
``conflict``            two segments hold different entries of one number
``unreadable``          a segment or a checkpoint is not what its name says
``policy``              the policy is not there, was replaced, or is not what digests state
``bucket``              versioning or Object Lock is not on, or its default was changed
``foreign``             anybody who may put objects can have put it. It counts for nothing, and is
                        not a fault of the log
======================  ==========================================================================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from chained_logging.format.merkle import MAX_SIZE
from chained_logging.format.note import Note
from chained_logging.format.vkey import VerifierKey
from chained_logging.ship.fault import FOREIGN, Fault
from chained_logging.ship.s3.digest import DigestSummary, parse_time
from chained_logging.ship.s3.digest_check import DigestCheck
from chained_logging.ship.s3.digests import DigestWriter
from chained_logging.ship.s3.legal import unheld
from chained_logging.ship.s3.lock_check import Locks
from chained_logging.ship.s3.names import (
    ANCHORED_NAME,
    CHECKPOINTS,
    DIGESTS,
    SEGMENTS,
    Name,
    anchored_name,
)
from chained_logging.ship.s3.objects import Facts, Item, is_signed, log_key, parse_checkpoint
from chained_logging.ship.s3.policies import DAY
from chained_logging.ship.s3.store import AHEAD, Version


class Inspection:
    """One look at one origin. :meth:`run` is called once."""

    def __init__(self, store: DigestWriter, origin: str) -> None:
        self.store = store
        self.origin = origin
        self.base = store.base(origin)
        self.now = store.clock()
        self.patience = store.digest_interval + store.slack
        """How old an object may be that no digest lists."""
        self.faults: list[Fault] = []
        self.objects: dict[Name, tuple[Version, Facts]] = {}
        """The oldest version of each object of this layout."""
        self.anchored: list[Version] = []
        self.set_aside: set[Name] = set()
        self.keys: list[VerifierKey] = []
        self.path = store.path(origin)
        self.locks = Locks(store, self.now, self.patience, self.fault)
        self.kept = store.memory.get(origin)
        remembered = DigestSummary.from_json(self.kept).sha256 if self.kept else None
        self.digests = DigestCheck(store, origin, [], self.now, self.fault, remembered)

    def run(self) -> list[Fault]:
        """Return everything that is wrong.

        :raises DestinationError: if S3 cannot be asked now.
        """
        self.locks.check_policy()
        self.locks.check_bucket()
        self.read_objects()
        self.keys = self.log_keys()
        self.digests.keys = self.keys + self.store.store_keys(self.origin)
        self.digests.check(self.objects)
        self.set_foreign_aside()
        self.check_locks()
        self.check_anchored()
        self.check_unreadable()
        self.check_place()
        self.check_listed()
        self.check_unlisted()
        self.check_overlaps()
        self.check_checkpoints()
        self.check_holds()
        self.store.facts.clear()  # locks may change before the next time
        self.store.paths.clear()
        return self.faults

    def fault(self, kind: str, key: str, reason: str, seq: int | None = None) -> None:
        """Note something that is wrong with the object of a key."""
        self.faults.append(Fault(kind, self.store.shown(key), seq, None, reason))

    # --- The objects.

    def read_objects(self) -> None:
        """Read the oldest version of everything, and look at the later ones."""
        standing: list[tuple[Name, Version]] = []
        later: list[tuple[Name, list[Version]]] = []
        for key, versions in self.store.grouped(self.base).items():
            name = Name.parse(key[len(self.base) :])
            objects = [version for version in versions if not version.marker]
            if len(objects) < len(versions):
                below = "what it hides is still there" if objects else "and nothing below it"
                self.fault("deleted", key, f"there is a delete marker over it, {below}")
            if name is None and ANCHORED_NAME.fullmatch(key[len(self.base) :]):
                self.anchored += objects
            elif name is None:
                self.fault(FOREIGN, key, "it is not an object that a shipper puts here")
            elif objects:
                standing.append((name, objects[0]))
                later.append((name, objects))
        for name, version, facts in self._facts(standing):
            self.objects[name] = version, facts
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
        with ThreadPoolExecutor(AHEAD) as pool:
            while waiting or running:
                while waiting and len(running) < 2 * AHEAD:
                    name, version = waiting.popleft()
                    running.append((name, version, pool.submit(facts, name, version)))
                name, version, future = running.popleft()
                yield name, version, future.result()

    def check_later(self, name: Name, objects: list[Version]) -> None:
        """Name what was put over an object, unless it has the same content.

        Anybody who may put can do that, and it changes nothing: the first version counts.
        """
        if len(objects) == 1:
            return
        first, _ = self.store.read(name, objects[0])
        for later in objects[1:]:
            facts, _ = self.store.read(name, later)
            if self.is_without_some(name, objects[0], later):
                continue  # a removal that is not finished
            if facts.content != first.content and not self.digests.raced(name, objects[0], later):
                self.fault(
                    FOREIGN,
                    later.key,
                    f"version {later.id} was put over it, with other content, and counts for "
                    "nothing: the first one is still there",
                    name.first,
                )

    def is_without_some(self, name: Name, first: Version, later: Version) -> bool:
        """Whether a version of a segment is another one with stubs in place of some entries."""
        facts, items = self.store.read(name, later)
        if facts.problem or not facts.stubs:
            return False
        return [one.hash for one in items] == [one.hash for one in self.store.read(name, first)[1]]

    # --- The digests.

    def check_anchored(self) -> None:
        """Name anchored checkpoints that are not the log's. Their signatures tell."""
        for version in self.anchored:
            _, data = self.store.fetch(version)
            name = version.key[len(self.base) :]
            size = int(name.split("/")[1][:20])
            try:
                note = parse_checkpoint(data, Name(CHECKPOINTS, size, size)).note
                if anchored_name(size, data) != name:
                    raise ValueError("it has other content than its name says")
                if not is_signed(Note.parse(note.encode()), self.keys):
                    raise ValueError("it is signed by none of the log's keys")
            except ValueError as error:
                self.fault(FOREIGN, version.key, f"{error}")

    def check_locks(self) -> None:
        """Check the locks of what counts: anybody can put something without one."""
        digests = {found.version for found in self.digests.found.values()}
        for name, (version, facts) in sorted(self.objects.items()):
            if name.kind == DIGESTS:
                counts = version in digests
            elif name.kind == SEGMENTS and name not in self.digests.listed:
                counts = self.is_settled(name, version, facts)
            else:
                counts = True
            if counts:
                self.locks.check_lock(version, facts)

    def is_settled(self, name: Name, version: Version, facts: Facts) -> bool:
        """Whether a segment that no digest lists is the log's, and neither a copy nor the newest,
        which may turn out to be foreign."""
        if self.path.keys and name.first >= self.path.vouched:
            return False
        return bool(facts.problem) or not self.repeats(name, version)

    def set_foreign_aside(self) -> None:
        """Name the segments and checkpoints that neither a digest lists nor a key of the log
        vouches for.

        Anybody who may put can put one. It counts for nothing, and is not a fault of the log.
        """
        for name, (version, facts) in list(self.objects.items()):
            why = None
            if name.kind == CHECKPOINTS:
                # Listed or not: a landing that lists what it finds knows no key of the log.
                why = self.foreign_checkpoint(name, version, facts)
            elif name in self.digests.listed:
                continue
            elif name.kind == SEGMENTS and self.path.keys:
                why = self.foreign_segment(name, version, facts)
            if why is not None:
                del self.objects[name]
                self.set_aside.add(name)
                if why:
                    self.fault(FOREIGN, version.key, f"it {why}, and counts for nothing")

    def foreign_checkpoint(self, name: Name, version: Version, facts: Facts) -> str | None:
        """Return why a checkpoint is foreign, None if it is not; "" if the verifier says it."""
        if name in self.digests.listed and (facts.problem or not self.keys):
            return None
        if facts.problem:
            return facts.problem
        if self.is_signed(name, version, self.keys):
            return None
        return "is signed by none of the log's keys" if name.first > self.path.end.seq + 1 else ""

    def foreign_segment(self, name: Name, version: Version, facts: Facts) -> str | None:
        """Return why a segment is foreign, None if it is not, or may yet be the log's."""
        if name in self.path.segments:
            if name.first < self.path.vouched or version.modified + self.patience >= self.now:
                return None
            return "is vouched for by no key of the log"
        if facts.problem:
            return facts.problem
        return None if self.repeats(name, version) else "holds entries that are not the log's"

    def check_unreadable(self) -> None:
        """Name what is not what its name says, and is not foreign either."""
        for name, (version, facts) in self.objects.items():
            if facts.problem:
                self.fault("unreadable", version.key, f"it {facts.problem}", name.first)

    def is_signed(self, name: Name, version: Version, keys: list[VerifierKey]) -> bool:
        """Whether one of these keys signed a checkpoint."""
        try:
            note = parse_checkpoint(self.store.fetch(version)[1], name).note
            return is_signed(Note.parse(note.encode()), keys)
        except ValueError:  # a NoteError is one
            return False

    def log_keys(self) -> list[VerifierKey]:
        """Return the keys that the log names, and that of the signer that was given."""
        named = [key for _, facts in self.objects.values() for key in facts.keys]
        # Of a log whose front is gone nothing says which keys are its own.
        found = dict.fromkeys(self.path.keys or map(VerifierKey.parse, named))
        if self.store.signer is not None:
            found[log_key(self.origin, self.store.signer)] = None
        return list(found)

    def check_place(self) -> None:
        """Compare the digests with what is remembered of them."""
        if not self.kept:
            return
        newest = DigestSummary.from_json(self.kept)
        key = self.base + Name(DIGESTS, newest.number, newest.number).format()
        found = self.digests.found.get(newest.number)
        if found is None:
            if parse_time(newest.end) + newest.days * DAY > self.now:
                self.fault("missing", key, "this digest was seen before, and is gone")
        elif found.facts.sha256 != newest.sha256:
            self.fault("replaced", key, "this digest was seen before, with other content")
        self.locks.check_stated(newest.days, newest.mode, "when last seen it was")

    # --- The objects against the digests.

    def check_listed(self) -> None:
        """Name what a digest lists and is missing, or has other content."""
        spans: dict[str, list[float]] = {}
        for name, (listed, number) in self.digests.listed.items():
            if name in self.set_aside:
                continue
            found = self.objects.get(name)
            made, _, digest, _ = self.digests.found[number]
            if found is None:
                if made.modified + digest.days * DAY > self.now:
                    self.fault(
                        "missing",
                        self.base + listed.name,
                        f"digest {number} lists it, and it is gone",
                        name.first,
                    )
                continue
            version, facts = found
            # A checkpoint may wait for its segment after a crash.
            if name.kind == SEGMENTS and not (facts.stubs or self.was_listed(listed.name, version)):
                spans.setdefault(made.key, []).append(version.modified)
            # The chain fixes the hashes of one with stubs, and the log must explain the stubs.
            if facts.sha256 != listed.sha256 and not facts.stubs:
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

    def was_listed(self, name: str, version: Version) -> bool:
        """Whether a digest listed an object in time that does not count since others are signed:
        the log had no key then, and the shipper forgot what it made. S3 gives it its time."""
        put = self.digests.unsigned.get(name)
        return put is not None and put - version.modified <= self.patience

    def check_last_policy(self) -> None:
        """Compare the policy with what the newest digest states."""
        if self.digests.found:
            last = self.digests.found[max(self.digests.found)].digest
            self.locks.check_stated(last.days, last.mode, f"digest {last.number} states")

    def check_unlisted(self) -> None:
        """Name what no digest lists, unless it is too new for one, or a harmless repetition."""
        digests = self.digests.found.values()
        newest = max((found.version.modified for found in digests), default=None)
        size = max((found.digest.head.seq + 1 for found in digests), default=0)
        old: list[tuple[Name, Version]] = []
        for name, (version, facts) in sorted(self.objects.items()):
            if name.kind == DIGESTS or name in self.digests.listed:
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
            made = (
                "there is no digest"
                if newest is None
                else f"the newest is {max(self.digests.found)}"
            )
            self.fault(
                "undigested",
                old[0][1].key,
                f"{len(old)} objects from this one on are older than a digest may take, and no "
                f"digest lists them ({made}): the newest digests were deleted, or the shipper "
                "stopped right after it put them",
                old[0][0].first,
            )

    def repeats(self, name: Name, version: Version) -> bool:
        """Whether a segment holds nothing but what others hold that are the log's."""
        known_names = self.path.segments.union(self.digests.listed) - {name}
        others = [other for other in known_names if overlap(other, name) and other in self.objects]
        known = {
            record.seq: record.hash
            for other in others
            if other.kind == SEGMENTS
            for record in self.records(other)
        }
        return bool(known) and all(
            known.get(record.seq) == record.hash for record in self.store.read(name, version)[1]
        )

    def check_overlaps(self) -> None:
        """Name segments that disagree on an entry."""
        segments = sorted(name for name in self.objects if name.kind == SEGMENTS)
        for index, name in enumerate(segments):
            records: dict[int, str] | None = None
            # What begins before this one ends. None, if only one shipper runs.
            for other in islice(segments, index + 1, None):
                if not overlap(name, other):
                    break
                records = records or {r.seq: r.hash for r in self.records(name)}
                differ = next(
                    (r.seq for r in self.records(other) if records.get(r.seq, r.hash) != r.hash),
                    None,
                )
                if differ is not None:
                    self.fault(
                        "conflict",
                        self.objects[other][0].key,
                        f"it holds another entry {differ} than {name.format()}",
                        differ,
                    )

    def check_holds(self) -> None:
        """Name segments with entries under a hold of the log, and without a legal hold."""
        holds = self.store.holds[self.origin]
        if holds.active:
            segments = self.path.taken(0, MAX_SIZE)
            for name, version in unheld(
                self.store, holds, self.store.stored(self.origin), segments
            ):
                self.fault(
                    "hold",
                    version.key,
                    "it has entries under a hold of the log, and no legal hold: run hold sync",
                    name.first,
                )

    def records(self, name: Name) -> list[Item]:
        """Return the entries of a segment."""
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
