"""The destination: puts a log's segments and checkpoints, and reads them again."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from chained_logging.errors import Refused, Unfit
from chained_logging.format.canonical import canonical
from chained_logging.format.merkle import MAX_SIZE
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.vkey import Signer
from chained_logging.ship.destination import Brought, Ours
from chained_logging.ship.fault import Fault
from chained_logging.ship.holds import Holds
from chained_logging.ship.s3.digests import SLACK, DigestWriter, Stands
from chained_logging.ship.s3.inspect import Inspection
from chained_logging.ship.s3.legal import bring_holds, unheld
from chained_logging.ship.s3.names import CHECKPOINTS, SEGMENTS, Name, anchored_name
from chained_logging.ship.s3.objects import (
    MAX_ENTRIES,
    Item,
    Object,
    content_of,
    follows,
    gzip_of,
    named_keys,
    parse_checkpoint,
)
from chained_logging.ship.s3.policies import DAY
from chained_logging.ship.s3.policy import Policy
from chained_logging.ship.s3.removal import Goes, Places, Removal
from chained_logging.ship.s3.store import MAX_CONTENT, Version

_log = logging.getLogger("chained_logging.ship")


class S3Destination(DigestWriter):
    """Logs in a bucket with Object Lock. See :class:`chained_logging.ship.Destination`.

    Endpoint, region and credentials are found where boto3 finds them: the environment
    (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID`` …), ``~/.aws``, the machine's
    role.

    :param url: ``s3://bucket/prefix``, prepared by :func:`init`.
    :param signer: signs the digests: the log's key.
    :param digest_interval: seconds between two digests.
    :param slack: seconds by which clocks may differ, see :data:`SLACK`.
    :param clock: the seconds since 1970.
    :ivar memory: by origin, the newest digest that was made or read here. It is JSON, to be kept
        outside the bucket and given to :meth:`remember` later. An attacker with every key and
        every permission cannot change what is kept elsewhere.
    :raises ValueError: if the URL is not of this kind.
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
        super().__init__(
            url, signer=signer, digest_interval=digest_interval, slack=slack, clock=clock
        )
        self._checkpoint: dict[str, int] = {}
        self._judged: set[str] = set()  # logs in which something else was passed over
        self._passed: set[tuple[str, str]] = set()  # objects of others, named once
        self._parts: list[tuple[str, bool]] = []

    # --- What is stored.

    def head(self, origin: str) -> Head:
        """Return the last stored entry, see :class:`chained_logging.ship.Destination`.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if the last segment is malformed.
        """
        return self._stands_at(origin, self._find_head(origin))

    def find_end(self, origin: str, ours: Ours) -> Head:
        """Return the last entry that belongs to the log, see :class:`.OpenDestination`.

        Entries that somebody else put after it are skipped, unless a key of the log vouches for
        them.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if a key of the log vouches for more than the log has; and for a log
            without a key, if what is stored is not the log's.
        """
        self._ours[origin] = ours
        try:
            head = self._find_head(origin)
        except Unfit:
            if not ours.has_key():
                raise
        else:
            # More than was delivered may be left of a crash; or put by somebody who read the rest.
            usual = head.seq <= ours.reached().seq and ours.holds(head)
            if usual or not ours.has_key():
                return self._stands_at(origin, head)
        end = self._own_end(origin, ours)
        self._check_vouched(origin, end, ours)
        return self._stands_at(origin, end)

    def end_for(self, origin: str, before: Head, records: Sequence[Item]) -> Head:
        """Return the entry after which to store, see :class:`.JudgingDestination`.

        :raises DestinationError: if S3 cannot be asked now.
        :raises Refused: if the last segment is malformed, and nobody can tell whose it is.
        """
        head = self._heads.get(origin) if origin in self._judged else None
        if head is None:
            with contextlib.suppress(Unfit):
                head = self._find_head(origin)
        if head is not None and self._fits(origin, head, before, records):
            return self._stands_at(origin, head)
        vouched = self._vouched_end(origin)
        if vouched == EMPTY and not self.path(origin).keys and not list(named_keys(records[:1])):
            return self.head(origin)  # nobody can tell
        last = Head(records[-1].seq, records[-1].hash) if records else before
        if last.seq <= vouched.seq and self._is_contradicted(origin, last):
            raise Unfit(
                f"{self.name} holds another log under this name, with a key of its own: its entry "
                f"{last.seq} is another one. Ship to another prefix"
            )
        self._judged.add(origin)
        end = before if before.seq > vouched.seq and self._is_held(origin, before) else vouched
        for name, version in self.standing(self.base(origin), SEGMENTS, end.seq - MAX_ENTRIES):
            if name.last > end.seq:
                self._pass_over(version)
        return self._stands_at(origin, end)

    def _fits(self, origin: str, head: Head, before: Head, records: Sequence[Item]) -> bool:
        """Whether entries go on from an end, are there already, or come too early."""
        last = records[-1].seq if records else before.seq
        if head.seq < before.seq:
            return origin not in self._judged or not self._is_held(origin, before)
        if head.seq == before.seq:
            return head == before
        if head.seq <= last:
            return records[head.seq - before.seq - 1].hash == head.hash
        return self._is_held(origin, Head(last, records[-1].hash) if records else before)

    def _is_held(self, origin: str, head: Head) -> bool:
        """Whether some segment holds an entry."""
        return any(self._leads(item, head) for item in self._covering(origin, head.seq))

    def _is_contradicted(self, origin: str, head: Head) -> bool:
        """Whether segments hold another entry of this number, and none this one."""
        covering = self._covering(origin, head.seq)
        return bool(covering) and not any(self._leads(item, head) for item in covering)

    def _covering(self, origin: str, seq: int) -> list[Object]:
        standing = self.standing(self.base(origin), SEGMENTS, seq - MAX_ENTRIES)
        return [item for item in standing if item[0].first <= seq <= item[0].last]

    def _vouched_end(self, origin: str) -> Head:
        """Return the last entry that a signed digest, or else a key of the log, vouches for."""
        newest = self._newest_digest(origin) if self.signer is not None else None
        return newest.head if newest is not None else self.path(origin).vouched_end

    def _stands_at(self, origin: str, head: Head) -> Head:
        self._heads[origin] = head
        self._checkpoint[origin] = self.last_number(self.base(origin), CHECKPOINTS)
        return head

    def _find_head(self, origin: str) -> Head:
        standing = self.last_segments(origin)
        if not standing:
            return EMPTY
        # Of two that end together the one that was there first.
        name, version = max(standing, key=lambda item: (item[0].last, -item[1].modified))
        facts = self.learn(name, version)
        if facts.problem:
            raise Unfit(
                f"{self.shown(version.key)} {facts.problem}, so it is not known where the log ends "
                "there: see what verify says of it, and ship to another prefix"
            )
        return Head(name.last, facts.last_hash)

    def _own_end(self, origin: str, ours: Ours) -> Head:
        """Return the end of the log's own segments.

        A segment whose last hash is the log's is the log's from its first entry on.
        """
        reached = ours.reached()
        standing = self.standing(self.base(origin), SEGMENTS, reached.seq - MAX_ENTRIES)
        standing.sort(key=lambda item: item[0].last)
        size = max(ours.size(), reached.seq + 1)
        end = reached if any(self._has(item, reached) for item in standing) else EMPTY
        if end == EMPTY:  # not remembered, or deleted
            held = (self._held(item, ours, size) for item in reversed(standing))
            end = next((head for head in held if head is not None), EMPTY)
        for item in standing:
            if item[0].first <= end.seq + 1 <= item[0].last:
                end = self._held(item, ours, size) or end
        for name, version in standing:
            if name.last > end.seq:
                self._pass_over(version)
        return end

    def _has(self, item: Object, head: Head) -> bool:
        name, version = item
        return name.first <= head.seq <= name.last and self._holds(name, version, *head)

    def _held(self, item: Object, ours: Ours, size: int) -> Head | None:
        """Return the end of a segment if it is the log's, else None."""
        name, version = item
        if name.last >= size:
            return None
        facts = self.learn(name, version)
        head = Head(name.last, facts.last_hash)
        return head if not facts.problem and ours.holds(head) else None

    def _check_vouched(self, origin: str, end: Head, ours: Ours) -> None:
        """Check that no key of the log vouches for what is skipped.

        :raises Refused: if it is.
        """
        why = (
            f"{self.name} holds entries behind entry {end.seq} that the log's key signed, and the "
            "log does not have them: it was cut or rolled back, or another host writes with its key"
        )
        for name, version in self.notes(origin, MAX_SIZE, end.seq + 1):
            if (version.key, version.id) in self._passed:
                continue
            try:
                stored = self.checkpoint(name, version)
            except ValueError:
                self._pass_over(version)
                continue
            if not ours.signed(stored):
                self._pass_over(version)
            elif not ours.agrees(stored):
                raise Refused(why)
        if self.signer is not None:
            newest = self._newest_digest(origin)
            if newest is not None and newest.signed and not ours.holds(newest.head):
                raise Refused(why)

    def _pass_over(self, version: Version) -> None:
        if (version.key, version.id) not in self._passed:
            self._passed.add((version.key, version.id))
            _log.warning("%s is not the log's: it is passed over", self.shown(version.key))

    def inspect(self, origin: str) -> list[Fault]:
        """Name what is missing, replaced, added, deleted or not locked as the policy requires.

        Objects that no digest lists yet are fine until `digest_interval` and `slack` are over.
        Call it after :meth:`records`, which spares reading everything twice.
        """
        return Inspection(self, origin).run()

    # --- Putting.

    def write(
        self,
        origin: str,
        records: Sequence[Item],
        checkpoints: Sequence[StoredCheckpoint],
        *,
        held: bool = False,
    ) -> None:
        """Store entries, see :class:`chained_logging.ship.Destination`: one segment.

        :param held: with a legal hold on it, see :class:`.HoldingDestination`.
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
                self._put_segment(origin, records, held)
                self._heads[origin] = Head(end, records[-1].hash)
        except BaseException:
            self._heads.pop(origin, None)
            raise

    def _check_next(self, head: Head, records: Sequence[Item]) -> None:
        first = records[0].seq
        if not follows(records[0], head):
            raise Unfit(
                f"{self.name} holds another history: entry {first} does not follow its entry "
                f"{head.seq} with the hash {head.hash}"
            )
        if [record.seq for record in records] != list(range(first, first + len(records))):
            raise Unfit(f"the entries from {first} on have a gap")

    def _put_segment(self, origin: str, records: Sequence[Item], held: bool) -> None:
        if len(records) > MAX_ENTRIES:
            raise ValueError(
                f"a segment must have at most {MAX_ENTRIES} entries, not {len(records)}"
            )
        content = content_of(records)
        if len(content) > MAX_CONTENT:
            raise ValueError(f"a segment must have at most {MAX_CONTENT} bytes, not {len(content)}")
        name = Name(SEGMENTS, records[0].seq, records[-1].seq)
        try:
            self._put_new(origin, name, gzip_of(content), held)
        except Stands:
            if not self._may_go_beside(origin):
                raise
            # Somebody else was there first. Without the hash, they cannot be first again.
            name = name._replace(mark=records[-1].hash[:16])
            self._put_new(origin, name, gzip_of(content), held)

    def _put_new(self, origin: str, name: Name, data: bytes, held: bool) -> None:
        """Check whether an object exists, then put it: some servers do not check."""
        standing = self.oldest(self.base(origin) + name.format())
        if standing is None:
            self._put(origin, name, data, held)
        else:
            self._check_same(standing, name, data)

    def _has_key(self, origin: str) -> bool:
        return origin in self._ours and self._ours[origin].has_key()

    def _may_go_beside(self, origin: str) -> bool:
        """Whether the object in the way is known not to be the log's."""
        return self._has_key(origin) or origin in self._judged

    def _put_checkpoint(self, origin: str, checkpoint: StoredCheckpoint) -> None:
        name = Name(CHECKPOINTS, checkpoint.size, checkpoint.size)
        data = canonical(checkpoint.to_dict()) + b"\n"
        # Look first: it may well be there, and a server may not know If-None-Match.
        if checkpoint.size <= self._checkpoint.get(origin, -1):
            standing = self.oldest(self.base(origin) + name.format())
            if standing is not None:
                found = self.get(standing).data
                if found != data:
                    self._put_anchored(origin, name, checkpoint, found, data)
                return
        try:
            self._put(origin, name, data)
        except Stands:  # somebody else's, put since
            standing = self.oldest(self.base(origin) + name.format())
            if standing is None:
                raise
            self._put_anchored(origin, name, checkpoint, self.get(standing).data, data)
        self._checkpoint[origin] = max(checkpoint.size, self._checkpoint.get(origin, -1))

    def _put_anchored(
        self, origin: str, name: Name, checkpoint: StoredCheckpoint, found: bytes, data: bytes
    ) -> None:
        """Put a checkpoint once more, with the signatures that others added; if somebody else took
        its name, beside that object. No digest lists it: its signatures show that it is the log's.

        :raises Refused: if another one is stored that a key of the log signed.
        """
        try:
            stands = parse_checkpoint(found, name)
        except ValueError:
            stands = None
        text = checkpoint.note.rpartition("\n\n")[0]
        same = stands is not None and stands.note.rpartition("\n\n")[0] == text
        ours = self._ours.get(origin)  # a landing cannot tell: their signatures do
        foreign = ours is None or stands is None or not ours.signed(stands)
        if not same and not foreign:
            key = self.base(origin) + name.format()
            raise Unfit(f"{self.shown(key)} is another checkpoint of this size")
        policy = self._current()
        key = self.base(origin) + anchored_name(name.first, data)
        self.put(key, data, policy.mode, self.clock() + policy.days * DAY)

    # --- Removing.

    def policy(self) -> Policy:
        """Return the policy in force.

        :raises DestinationError: if S3 cannot be asked now.
        """
        return self._current()

    def any_of(self, origin: str, ranges: Iterable[tuple[int, int]]) -> bool:
        """Whether any entry of some ranges, each with its last one, is still there."""
        places = Places(ranges)
        for name, version in self.path(origin).taken(*places.ends):
            if places.meet(name.first, name.last):
                _, items = self.read(name, version)
                if any(isinstance(one, Record) and places.meet(one.seq, one.seq) for one in items):
                    return True
        return False

    def approve(self, origin: str, seq: int) -> None:
        """Do nothing: a bucket cannot tell a decision from another entry. The caller can."""

    def purge(
        self, origin: str, seq: int, ranges: Iterable[tuple[int, int]], goes: Goes
    ) -> Iterator[int]:
        """Remove what a decision names, as far as locks have ended, see
        :class:`.PurgingDestination`.

        :raises DestinationError: if S3 cannot be asked now, or these credentials may not delete.
        """
        removal = Removal(self, origin)
        try:
            yield from removal.remove(ranges, goes)
        finally:
            self.paths.pop(origin, None)
            self._parts += removal.parts

    def give_back(self) -> Iterator[tuple[str, bool]]:
        """Yield the segments that were looked at, with what keeps each, and whether nothing that
        was to go is left in it."""
        yield from self._parts
        self._parts.clear()

    # --- Legal hold.

    def bring_holds(
        self, origin: str, holds: Holds, items: Iterable[Item], *, lift: bool = False
    ) -> Brought:
        """Put legal holds on the segments that holds of the log cover, see
        :class:`.HoldingDestination`.

        :raises DestinationError: if S3 cannot be asked now, or these credentials may not.
        """
        return bring_holds(self, origin, holds, items, lift=lift)

    def unheld(self, origin: str, holds: Holds, items: Iterable[Item]) -> list[str]:
        """Return the segments on which a legal hold is missing, see :class:`.HoldingDestination`.

        :raises DestinationError: if S3 cannot be asked now, or these credentials may not.
        """
        segments = self.path(origin).taken(0, MAX_SIZE)
        return [self.shown(one.key) for _, one in unheld(self, holds, items, segments)]

    def legal_hold(self, origin: str, on: bool) -> int:
        """Put a legal hold on every version of every object of an origin, or remove it.

        While it is on, none of them can be deleted, whatever the retention. Objects that are
        shipped later are held from the next call on.

        :returns: the number of versions.
        :raises DestinationError: if S3 cannot be asked now, or refuses.
        """
        versions = [
            version
            for group in self.grouped(self.base(origin)).values()
            for version in group
            if not version.marker
        ]
        for version in versions:
            self.hold(version, on)
        return len(versions)
