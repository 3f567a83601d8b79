"""Checks that a log's digests are a chain without a gap, made in time and signed by the log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from chained_logging.format.vkey import VerifierKey
from chained_logging.ship.fault import FOREIGN
from chained_logging.ship.s3.digest import Digest, Listed, breaks, parse_digest, parse_time
from chained_logging.ship.s3.digests import DigestWriter
from chained_logging.ship.s3.lock_check import Report
from chained_logging.ship.s3.names import DIGESTS, Name
from chained_logging.ship.s3.objects import Facts, is_signed
from chained_logging.ship.s3.policies import DAY
from chained_logging.ship.s3.store import Version


class Found(NamedTuple):
    """A digest, and where it was read."""

    version: Version
    facts: Facts
    digest: Digest
    trusted: bool
    """Whether one of the keys signed it, or it is the one that is remembered."""


class DigestCheck:
    """Reads the digests of one log.

    Anybody who may put objects can put a digest. A digest counts if a key signed it, if it is
    remembered, or if a digest that counts names its hash. If there are none of these, nobody can
    tell; then, of each number, the digest counts that fits the next one.

    :param keys: the log's own, and those of the store.
    :param remembered: the SHA-256 of a digest that was seen before.
    :ivar found: the digests that count, by number.
    :ivar listed: what they list, with the digest's number.
    :ivar unsigned: what unsigned digests list that do not count, with when the first was put.
    """

    def __init__(
        self,
        store: DigestWriter,
        origin: str,
        keys: list[VerifierKey],
        now: float,
        report: Report,
        remembered: str | None = None,
    ) -> None:
        self.store = store
        self.origin = origin
        self.keys = keys
        self.now = now
        self.report = report
        self.remembered = remembered
        self.found: dict[int, Found] = {}
        self.listed: dict[Name, tuple[Listed, int]] = {}
        self.unsigned: dict[str, float] = {}

    def check(self, objects: Mapping[Name, tuple[Version, Facts]]) -> None:
        """Check that the digests that count are a chain without a gap, made in time."""
        self.choose(objects)
        before: Found | None = None
        for number, found in sorted(self.found.items()):
            version, _, digest, _ = found
            late = version.modified - parse_time(digest.end)
            if abs(late) > self.store.slack:
                self.report(
                    "digest",
                    version.key,
                    f"it states that it was made at {digest.end}, and was put {late:.0f} s later",
                )
            self.check_link(number, found, before)
            before = found
            for listed in digest.objects:
                self.note_listed(listed, number, version)

    def choose(self, objects: Mapping[Name, tuple[Version, Facts]]) -> None:
        """Take the digests that count, and name the others."""
        numbered: dict[int, list[Found]] = {}
        for name, (version, facts) in sorted(objects.items()):
            if name.kind == DIGESTS:
                read = self.read_digest(name, version, facts)
                if read is not None:
                    numbered.setdefault(name.first, []).append(read)
        anybody = not any(one.trusted for group in numbered.values() for one in group)
        wanted: str | None = None
        for number, group in sorted(numbered.items(), reverse=True):
            chosen = self.choose_one(group, wanted, anybody)
            wanted = chosen.digest.previous if chosen else None
            if chosen:
                self.found[number] = chosen
            for other in group:
                if chosen is None or other.facts.sha256 != chosen.facts.sha256:
                    self.name_other(other, chosen)

    def choose_one(self, group: list[Found], wanted: str | None, anybody: bool) -> Found | None:
        """Return which of several digests of one number counts.

        :param wanted: the SHA-256 that the next one names.
        :param anybody: whether no digest is trusted.
        """
        fitting = [one for one in group if one.facts.sha256 == wanted]
        trusted = [one for one in group if one.trusted]
        ranked = [one for one in fitting if one.trusted] or trusted or fitting
        if not ranked and anybody:
            ranked = group
        return min(ranked, key=lambda one: one.version.modified, default=None)

    def name_other(self, other: Found, chosen: Found | None) -> None:
        """Name a digest that does not count."""
        number, key = other.digest.number, other.version.key
        if not other.trusted:
            for listed in other.digest.objects:
                put = min(other.version.modified, self.unsigned.get(listed.name, float("inf")))
                self.unsigned[listed.name] = put
        if other.trusted and chosen is not None:
            self.report("digest", key, f"there is another digest {number}, signed as well")
        elif chosen is not None:
            self.report(FOREIGN, key, f"there is another digest {number}, which counts")
        else:
            self.report(FOREIGN, key, "it is not signed by any of the keys, and is ignored")

    def read_digest(self, name: Name, version: Version, facts: Facts) -> Found | None:
        """Return a digest; None if it does not belong to this log and number."""
        _, data = self.store.fetch(version)
        try:
            if hashlib.sha256(data).hexdigest() != facts.sha256:
                raise ValueError("it changed while it was read")
            digest, note = parse_digest(data)
            if (digest.origin, digest.number) != (self.origin, name.first):
                raise ValueError("it is of another log, or of another number")
            if not facts.sha256.startswith(name.mark):
                raise ValueError("it has other content than its name says")
        except ValueError as error:
            self.report(FOREIGN, version.key, f"{error}: it counts for nothing")
            return None
        signed = note is not None and is_signed(note, self.keys)
        return Found(version, facts, digest, signed or facts.sha256 == self.remembered)

    def check_link(
        self,
        number: int,
        found: Found,
        before: Found | None,
    ) -> None:
        """Check that a digest follows the one before."""
        version, _, digest, _ = found
        expected = before.digest.number + 1 if before else 0
        if number > expected:
            # The front may be gone because its time is over.
            over = parse_time(digest.start) + digest.days * DAY < self.now
            if before is not None or not over:
                missing = str(expected) if number == expected + 1 else f"{expected} to {number - 1}"
                self.report(
                    "missing", version.key, f"digest {missing} before it is missing or malformed"
                )
        elif before is not None:
            for reason in breaks(before.digest, before.facts.sha256, digest):
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
        if one.note is not None and (other.note is None or not is_signed(other.note, self.keys)):
            return False
        same = ("origin", "number", "previous")
        return all(getattr(one.digest, field) == getattr(other.digest, field) for field in same)
