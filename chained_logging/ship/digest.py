"""What a bucket contains, as pure functions: names of objects, the policy, digests.

Nothing here reads a bucket, a clock or a private key. ``docs/s3.md`` specifies the formats.

A digest is what AWS CloudTrail's digest files are: a list of the objects that were put since the
last one, with their hashes, chained by the hash of that last one, and signed. So an object cannot
disappear, change or appear without contradicting a digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote, unquote

from chained_logging.format.canonical import canonical, canonical_text
from chained_logging.format.merkle import MAX_SIZE
from chained_logging.format.note import MAX_NOTE, Note, sign_note, verify_note
from chained_logging.format.record import Head
from chained_logging.format.vkey import Signer, VerifierKey

FORMAT: Final = 1
"""The version of this layout, in every policy and digest."""

MAX_LISTED: Final = 1000
"""The most objects in one digest, which keeps it below the 1,000,000 bytes of a signed note."""

MODES: Final = ("GOVERNANCE", "COMPLIANCE")
"""Modes of S3 Object Lock, the weaker first."""

POLICY_SIGNER: Final = "chained-logging/policy"
"""The name of the key that signs policies."""

MAX_DAYS: Final = 36_500
"""The longest retention that S3 takes: 100 years."""


# --- Names. Keys are `<prefix>/<encoded origin>/<name>`.


def encode_origin(origin: str) -> str:
    """Return an origin as one component of a key: ``example.com/web`` is ``example.com_2Fweb``.

    It is percent-encoding (RFC 3986, section 2.1) with ``_`` in place of ``%``, since servers and
    clients disagree on how often to decode that. Letters, digits, ``-`` and ``.`` stay as they are,
    except in the names ``.`` and ``..``, which HTTP clients take out of a path.

    :raises ValueError: for an empty origin, or one with a lone surrogate.
    """
    if not origin:
        raise ValueError("an origin must not be empty")
    encoded = quote(origin, safe="").replace("_", "%5F").replace("~", "%7E").replace("%", "_")
    return encoded.replace(".", "_2E") if origin in (".", "..") else encoded


def decode_origin(component: str) -> str:
    """Return the origin that a component of a key is.

    :raises ValueError: if :func:`encode_origin` would not have made it.
    """
    origin = unquote(component.replace("_", "%"), errors="strict")
    if encode_origin(origin) != component:
        raise ValueError(f"{component!r} is not an encoded origin")
    return origin


SEGMENTS: Final = "segments"
CHECKPOINTS: Final = "checkpoints"
ANCHORED: Final = "anchored"
DIGESTS: Final = "digests"


ANCHORED_NAME: Final = re.compile(ANCHORED + r"/([0-9]{20})-([0-9a-f]{16})\.json")


def anchored_name(size: int, data: bytes) -> str:
    """Return the name of a checkpoint that others signed since, below that of the origin."""
    return f"{ANCHORED}/{size:020d}-{hashlib.sha256(data).hexdigest()[:16]}.json"


class Name(NamedTuple):
    """What an object's name says it is."""

    kind: str
    """:data:`SEGMENTS`, :data:`CHECKPOINTS` or :data:`DIGESTS`."""
    first: int
    """The first entry of a segment, the size of a checkpoint, the number of a digest."""
    last: int
    """The last entry of a segment; of the others the same as `first`."""
    mark: str = ""
    """Tells this object from another of these numbers: the start of a segment's last hash, or of
    a digest's SHA-256. Empty, unless somebody else put the other one first."""

    def format(self) -> str:
        """Return the name, below that of the origin. Of one kind they sort as numbers do."""
        mark = f"-{self.mark}" if self.mark else ""
        if self.kind == SEGMENTS:
            return f"{SEGMENTS}/{self.first:020d}-{self.last:020d}{mark}.jsonl.gz"
        if self.kind == DIGESTS:
            return f"{DIGESTS}/{self.first:020d}{mark}.digest"
        return f"{self.kind}/{self.first:020d}.json"

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Return what a name says, None if it is not of this layout."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        first = int(found[2])
        name = cls(found[1], first, int(found[3] or first), found[4] or "")
        valid = name.format() == text and first <= name.last <= MAX_SIZE
        return name if valid else None


_NAME = re.compile(
    r"(segments|checkpoints|digests)/([0-9]{20})(?:-([0-9]{20}))?(?:-([0-9a-f]{16}))?\.[a-z.]+"
)


# --- The policy.


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how strictly the objects under a prefix are locked."""

    days: int
    mode: str
    """One of :data:`MODES`."""
    default: str | None = None
    """The bucket's own default retention when this was written, such as ``COMPLIANCE 30 days``."""
    key: str | None = None
    """The public key, a vkey, that must sign the next policy; without one this is the last."""

    def __post_init__(self) -> None:
        if type(self.days) is not int or not 1 <= self.days <= MAX_DAYS:
            raise ValueError(f"a retention must be from 1 to {MAX_DAYS} days, not {self.days}")
        if self.mode not in MODES:
            raise ValueError(
                f"the mode of Object Lock must be {' or '.join(MODES)}, not {self.mode!r}"
            )
        if not isinstance(self.default, str | None):
            raise ValueError("the default retention in a policy must be a text or null")
        if self.key is not None:
            VerifierKey.parse(self.key)

    def covers(self, other: Policy) -> bool:
        """Whether this one is at least as long and as strict as `other`."""
        return self.days >= other.days and MODES.index(self.mode) >= MODES.index(other.mode)

    def format(self) -> bytes:
        """Return the content of the first policy's object."""
        fields = {
            "days": self.days,
            "default_retention": self.default,
            "format": FORMAT,
            "key": self.key,
            "mode": self.mode,
        }
        return canonical(fields) + b"\n"

    def sign(self, store: str, signer: Signer) -> bytes:
        """Return the content of the object of a policy that follows another: a signed note.

        :param store: the URL of the bucket and the prefix, so that it is of use for no other.
        """
        return sign_note(f"{store}\n{self.format().decode()}", POLICY_SIGNER, signer).format()

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Parse an object's content as a policy.

        :raises ValueError: if it is not a policy, or of a later format.
        """
        fields = _object(data, "a policy")
        try:
            policy = cls(fields["days"], fields["mode"], fields["default_retention"], fields["key"])
        except (KeyError, TypeError, AttributeError):
            raise ValueError("not a policy: a field is missing or of another type") from None
        if policy.format() != data:
            raise ValueError(f"not a policy of format {FORMAT} in canonical form")
        return policy

    def parse_next(self, data: bytes, store: str) -> Policy:
        """Return the policy that an object's content is, if this policy's key signed it.

        :param store: as of :meth:`sign`.
        :raises ValueError: if it is malformed, or may not follow this one.
        """
        if data == self.format():
            return self  # put once more
        if self.key is None:
            raise ValueError("the policy before names no key, so that none follows it")
        note = Note.parse(data)
        verify_note(note, [VerifierKey.parse(self.key)])
        named, _, text = note.text.partition("\n")
        policy = Policy.parse(text.encode())
        if named != store:
            raise ValueError(f"it is a policy of {named}")
        if not policy.covers(self):
            raise ValueError("it is shorter or weaker than the one before")
        return policy


# --- Digests.


class Listed(NamedTuple):
    """An object as a digest lists it."""

    name: str
    """Below that of the origin; it says which entries a segment holds."""
    sha256: str
    """Of the object's bytes, in hexadecimal."""
    size: int
    version: str
    """Its version ID. One that S3 gave is never given again."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A list of what was put since the last one."""

    number: int
    """0, 1, 2 … without a gap, for each origin."""
    origin: str
    start: str
    """The end of the one before; of the first, when the first object was put."""
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
    fields = _object(text, "a digest")
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
    """Return why `after` is not the digest that follows `before`, in sentences; none if it is.

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


# --- The place: what is remembered of the newest digest, outside the bucket.


class Place(NamedTuple):
    """The newest digest of an origin, as much of it as the next one needs."""

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
        """Return the place after a digest whose content has this SHA-256."""
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

        :raises ValueError: if this is not such a value.
        """
        try:
            place = cls(**{**value, "head": Head(*value["head"])})
            parse_time(place.end)
            Policy(place.days, place.mode)
            if type(place.number) is int and type(place.head.seq) is int:
                return place
        except (KeyError, TypeError):
            pass
        raise ValueError("not the place of a digest")


# --- Small things.


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


def _object(data: str | bytes, what: str) -> dict[str, Any]:
    if len(data) > MAX_NOTE:
        raise ValueError(f"not {what}: it has more than {MAX_NOTE} bytes")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"not {what}: it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(f"not {what} of format {FORMAT}")
    return fields
