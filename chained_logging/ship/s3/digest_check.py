"""Whether a log's digests are a chain without a gap, made in time and signed by the log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chained_logging.notes import Note, NoteError, VerifierKey, verify_note
from chained_logging.ship.digest import (
    DIGESTS,
    Digest,
    Listed,
    Name,
    SignedDigest,
    breaks,
    parse_digest,
    parse_time,
)
from chained_logging.ship.s3.locks import Report
from chained_logging.ship.s3.policy import DAY
from chained_logging.ship.s3.store import Version

if TYPE_CHECKING:
    from chained_logging.ship.s3.destination import S3Destination
    from chained_logging.ship.s3.objects import Facts

    Found = tuple[Version, Facts, Digest, Note | None]


class DigestCheck:
    """Reads the digests of one log.

    :param keys: the log's own.
    :ivar found: what is a digest, by its number.
    :ivar listed: what digests list, with the digest's number.
    """

    def __init__(
        self,
        store: S3Destination,
        origin: str,
        keys: list[VerifierKey],
        now: float,
        report: Report,
    ) -> None:
        self.store = store
        self.origin = origin
        self.keys = keys
        self.now = now
        self.report = report
        self.found: dict[int, Found] = {}
        self.listed: dict[Name, tuple[Listed, int]] = {}

    def check(self, objects: Mapping[Name, tuple[Version, Facts]]) -> None:
        """Check that the digests are a chain without a gap, made in time, signed by the log."""
        for name, (version, facts) in sorted(objects.items()):
            if name.kind == DIGESTS:
                read = self.read_digest(version, facts)
                if read is not None:
                    self.found[name.first] = version, facts, *read
        signed = False
        before: Found | None = None
        for number, found in sorted(self.found.items()):
            version, _, digest, note = found
            signed = signed or note is not None
            if (digest.origin, digest.number) != (self.origin, number):
                self.report("digest", version.key, "it is of another log, or of another number")
            if signed:
                self.check_signature(version, note)
            late = version.modified - parse_time(digest.end)
            if abs(late) > self.store.slack:
                self.report(
                    "digest",
                    version.key,
                    f"it states that it was made at {digest.end}, and was put {late:.0f} s later",
                )
            self.check_link(number, found, before)
            before = found
            if number == max(self.found) and self.store.signer is not None and not signed:
                self.report("signature", version.key, "it is not signed, and this shipper signs")
            for listed in digest.objects:
                self.note_listed(listed, number, version)

    def read_digest(self, version: Version, facts: Facts) -> SignedDigest | None:
        """Return a digest, None if it is malformed."""
        _, data = self.store.fetch(version)
        try:
            if hashlib.sha256(data).hexdigest() != facts.sha256:
                raise ValueError("it changed while it was read")
            return parse_digest(data)
        except ValueError as error:
            self.report("digest", version.key, str(error))
            return None

    def check_signature(self, version: Version, note: Note | None) -> None:
        """Check that a digest is signed by one of the log's keys."""
        if note is None:
            self.report("signature", version.key, "it is not signed, and others are")
            return
        try:
            verify_note(note, self.keys)
        except NoteError as error:
            self.report("signature", version.key, str(error))

    def check_link(
        self,
        number: int,
        found: Found,
        before: Found | None,
    ) -> None:
        """Check that a digest follows the one before."""
        version, _, digest, _ = found
        expected = before[2].number + 1 if before else 0
        if number > expected:
            # The front may be gone because its time is over.
            over = parse_time(digest.start) + digest.days * DAY < self.now
            if before is not None or not over:
                missing = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
                self.report(
                    "missing", version.key, f"digest {missing} before it is missing or malformed"
                )
        elif before is not None:
            for reason in breaks(before[2], before[1].sha256, digest):
                self.report("digest", version.key, reason)
        elif digest.previous is not None:
            self.report("digest", version.key, "it is the first one, and names one before")

    def note_listed(self, listed: Listed, number: int, version: Version) -> None:
        """Take over what a digest lists."""
        name = Name.parse(listed.name)
        if name is None or name.kind == DIGESTS:
            self.report("digest", version.key, f"it lists {listed.name}, which is never listed")
        else:
            self.listed.setdefault(name, (listed, number))

    def raced(self, name: Name, first: Version, later: Version) -> bool:
        """Whether two shippers put the same digest at the same time: no server need prevent it.

        The first one counts. What the other one lists, a later one lists too.
        """
        if name.kind != DIGESTS or later.modified - first.modified > self.store.slack:
            return False
        try:
            one, other = (parse_digest(self.store.get(v).data) for v in (first, later))
        except ValueError:
            return False
        if one.note is not None:
            try:
                if other.note is None:
                    return False
                verify_note(other.note, self.keys)
            except NoteError:
                return False
        same = ("origin", "number", "previous")
        return all(getattr(one.digest, field) == getattr(other.digest, field) for field in same)
