"""Digests: what was put into a bucket. ``docs/s3.md`` specifies them.

A digest is what AWS CloudTrail's digest files are: a list of the objects that were put since the
last one, with their hashes, chained by the hash of that last one, and signed. So an object cannot
disappear, change or appear without contradicting a digest. Nothing here reads a bucket or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self

from chained_logging.format.canonical import canonical_text
from chained_logging.format.note import Note, sign_note
from chained_logging.format.record import Head
from chained_logging.format.vkey import Signer
from chained_logging.ship.s3.policy import FORMAT, Policy, parse_object

MAX_LISTED: Final = 1000
"""The most objects in one digest, which keeps it below the 1,000,000 bytes of a signed note."""


class Listed(NamedTuple):
    """An object as a digest lists it."""

    name: str
    """Its name below the origin, which says which entries a segment holds."""
    sha256: str
    """Of the object's bytes, in hexadecimal."""
    size: int
    version: str
    """Its version ID. S3 never gives the same one twice."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A list of what was put since the last one."""

    number: int
    """0, 1, 2 … without a gap, for each origin."""
    origin: str
    start: str
    """The end of the digest before; for the first digest, when the first object was put."""
    end: str
    """When it was made. Both are RFC 3339, UTC, with microseconds."""
    previous: str | None
    """SHA-256 of the digest before, with its signature; None for number 0."""
    days: int
    mode: str
    """The policy that was in force."""
    head: Head
    """The last entry that is listed, here or before."""
    checkpoint: int
    """The size of the largest checkpoint that is, -1 if none."""
    objects: tuple[Listed, ...]

    def format(self) -> str:
        """Return the text: one line of canonical JSON (RFC 8785)."""
        fields = {
            "chain_head": {"hash": self.head.hash, "seq": self.head.seq},
            "checkpoint": self.checkpoint,
            "end": self.end,
            "format": FORMAT,
            "number": self.number,
            "objects": [listed._asdict() for listed in self.objects],
            "origin": self.origin,
            "policy": {"days": self.days, "mode": self.mode},
            "previous": self.previous,
            "start": self.start,
        }
        return canonical_text(fields) + "\n"

    def sign(self, signer: Signer | None) -> bytes:
        """Return the object's content: the text, or a C2SP signed note of it.

        :raises NoteError: if the origin cannot be a key's name.
        """
        if signer is None:
            return self.format().encode()
        return sign_note(self.format(), self.origin, signer).format()


class SignedDigest(NamedTuple):
    """A digest as it was read. The signature under it is not verified."""

    digest: Digest
    note: Note | None


def parse_digest(data: bytes) -> SignedDigest:
    """Parse an object's content as a digest.

    :raises ValueError: if it is not a digest.
    """
    note = Note.parse(data) if b"\n\n" in data else None
    text = note.text if note else data.decode()
    fields = parse_object(text, "a digest")
    try:
        head, policy = fields["chain_head"], fields["policy"]
        digest = Digest(
            fields["number"],
            fields["origin"],
            fields["start"],
            fields["end"],
            fields["previous"],
            policy["days"],
            policy["mode"],
            Head(head["seq"], head["hash"]),
            fields["checkpoint"],
            tuple(Listed(**listed) for listed in fields["objects"]),
        )
        Policy(digest.days, digest.mode)
        if parse_time(digest.start) > parse_time(digest.end):
            raise ValueError("not a digest: it ends before it starts")
        strings = [digest.origin, digest.head.hash, *(listed.name for listed in digest.objects)]
        numbers = [digest.number, digest.head.seq, digest.checkpoint]
        if {*map(type, strings)} != {str} or {*map(type, numbers)} != {int}:
            raise ValueError("not a digest: a field is of another type")
        same = digest.format() == text
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a digest: a field is missing or of another type") from None
    if not same:
        raise ValueError(f"not a digest of format {FORMAT} in canonical form")
    return SignedDigest(digest, note)


def breaks(before: Digest, sha256: str, after: Digest) -> list[str]:
    """Return sentences that say why `after` does not follow `before`; an empty list if it does.

    :param sha256: that of the content of `before`.
    """
    found = []
    if after.previous != sha256:
        found.append(
            f"it names another digest {before.number} than the one in the bucket: one of them "
            "was replaced, and signed again if it is signed"
        )
    if after.start != before.end:
        found.append(f"it starts at {after.start}, and the one before ends at {before.end}")
    if after.head.seq < before.head.seq or after.checkpoint < before.checkpoint:
        found.append("it states fewer entries than the one before")
    if not Policy(after.days, after.mode).covers(Policy(before.days, before.mode)):
        found.append("its retention is shorter or weaker than that of the one before")
    return found


class DigestSummary(NamedTuple):
    """What the next digest needs to know of a digest. It is kept outside the bucket too."""

    number: int
    sha256: str
    end: str
    head: Head
    checkpoint: int
    days: int
    mode: str
    signed: bool

    @classmethod
    def of(cls, digest: Digest, sha256: str, signed: bool) -> Self:
        """Return the summary of a digest whose content has this SHA-256."""
        return cls(
            digest.number,
            sha256,
            digest.end,
            digest.head,
            digest.checkpoint,
            digest.days,
            digest.mode,
            signed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**self._asdict(), "head": list(self.head)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` made.

        :raises ValueError: if it is malformed.
        """
        try:
            found = cls(**{**value, "head": Head(*value["head"])})
            parse_time(found.end)
            Policy(found.days, found.mode)
            numbers = (found.number, found.head.seq, found.checkpoint)
            if all(type(number) is int for number in numbers) and type(found.sha256) is str:
                return found
        except (KeyError, TypeError):
            pass
        raise ValueError("not the summary of a digest")


def format_time(seconds: float) -> str:
    """Return seconds since 1970 as RFC 3339, UTC, with microseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Return what :func:`format_time` was given, to the microsecond.

    :raises ValueError: if it did not make this text.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a time in UTC with microseconds")
    return datetime.fromisoformat(text).timestamp()


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
