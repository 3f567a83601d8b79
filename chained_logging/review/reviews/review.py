"""A review and its signatures, as the log's own entries hold them.

``review.start`` says which period (or which emergency access) is looked at, and what was drawn of
it. ``review.sign`` says who reviewed it, what their signature means (21 CFR 11.50), what they
concluded, and which checkpoint they saw. A reviewer with a key of their own signs that as a C2SP
``signed-note``; its text is the canonical JSON of what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

from chained_logging.event.entry import AuditEntry
from chained_logging.format.canonical import canonical, canonical_text
from chained_logging.format.note import Note, verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import VerifierKey
from chained_logging.review.period import Period

START: Final = "review.start"
SIGN: Final = "review.sign"
ACTIONS: Final = (START, SIGN)

Holds = Literal["known", "unknown", "none", "broken"]
"""What a reviewer's own signature is: ``known`` or ``unknown`` if it holds, by a key that was given
or by one that only the entry names; ``none`` if they have no key; else ``broken``."""


@dataclass(frozen=True)
class Signature:
    """What somebody signed.

    :ivar who: the user of the machine, or of the application, who signed.
    :ivar name: the name as printed.
    :ivar own: whether the signature of the reviewer's own key holds.
    """

    seq: int
    who: str
    name: str
    meaning: str
    conclusion: str
    signed_at: str
    checkpoint: dict[str, Any] | None
    own: Holds


@dataclass
class Review:
    """A review that was begun.

    :ivar seq: of the entry that began it, which is its number.
    :ivar about: the entries that it is about, for a review of emergency access; else none.
    :ivar drawn: what the reviewer was shown.
    """

    seq: int
    hash: str
    started: str
    by: str
    since: str
    until: str
    about: tuple[int, ...]
    drawn: dict[str, Any]
    signatures: list[Signature] = field(default_factory=list)

    @property
    def period(self) -> str:
        """The first and the last day, or both instants where they are not midnights."""
        try:
            return str(Period(self.since, self.until))
        except ValueError:  # somebody else wrote the entry
            return f"{self.since} to {self.until}"

    @property
    def signed(self) -> bool:
        """Whether somebody signed it, and no signature is broken."""
        return bool(self.signatures) and all(one.own != "broken" for one in self.signatures)

    @classmethod
    def of(cls, entry: AuditEntry) -> Review:
        """Return the review that an entry begins.

        :raises ValueError: if a field is missing or has another type.
        """
        context = entry.context
        since, until = context.get("since"), context.get("until")
        about, drawn = context.get("about", []), context.get("summary")
        texts = isinstance(since, str) and isinstance(until, str) and isinstance(drawn, dict)
        numbers = isinstance(about, list) and all(type(seq) is int for seq in about)
        if not texts or not numbers or not entry.hash:
            raise ValueError("a field of the review is missing or has another type")
        who = entry.on_behalf_of or entry.actor_id
        assert isinstance(since, str)  # noqa: S101 -- seen above, but not by mypy
        assert isinstance(until, str)  # noqa: S101
        assert isinstance(drawn, dict)  # noqa: S101
        return cls(entry.seq, entry.hash, entry.timestamp, who, since, until, tuple(about), drawn)


def digest(drawn: dict[str, Any]) -> str:
    """Return the SHA-256 of a summary, in hexadecimal."""
    return sha256(canonical(drawn)).hexdigest()


def statement(origin: str, review: Review, said: dict[str, Any]) -> str:
    """Return the text that a reviewer's own key signs.

    It is bound to the review by the hash of its entry, so it is of use for no other.

    :param said: what the reviewer says, as the entry's context has it.
    """
    bound = {
        "format": "chained-logging review v1",
        "origin": origin,
        "review": review.seq,
        "review_hash": review.hash,
    }
    return canonical_text({**bound, **said}) + "\n"


def signature_of(
    entry: AuditEntry, origin: str, review: Review, keys: Sequence[VerifierKey] = ()
) -> Signature:
    """Return the signature in an entry, with whether it holds.

    :param origin: the name of the log.
    :param review: what it signs.
    :param keys: the reviewers' keys, from outside the log.
    :raises ValueError: if a field is missing or has another type.
    """
    context = entry.context
    said = context.get("said")
    names = ("name", "meaning", "conclusion", "signed_at", "summary_sha256")
    if not isinstance(said, dict) or not all(isinstance(said.get(one), str) for one in names):
        raise ValueError("a field of the signature is missing or has another type")
    checkpoint = said.get("checkpoint")
    return Signature(
        entry.seq,
        entry.on_behalf_of or entry.actor_id,
        said["name"],
        said["meaning"],
        said["conclusion"],
        said["signed_at"],
        checkpoint if isinstance(checkpoint, dict) else None,
        _own(context, origin, review, said, keys),
    )


def _own(
    context: dict[str, Any],
    origin: str,
    review: Review,
    said: dict[str, Any],
    keys: Sequence[VerifierKey],
) -> Holds:
    if said["summary_sha256"] != digest(review.drawn):
        return "broken"
    note, vkey = context.get("note"), context.get("key")
    if note is None and vkey is None:
        return "none"
    if not isinstance(note, str) or not isinstance(vkey, str):
        return "broken"
    try:
        key, parsed = VerifierKey.parse(vkey), Note.parse(note.encode())
        verify_note(parsed, [key])
    except NoteError:
        return "broken"
    if parsed.text != statement(origin, review, said):
        return "broken"
    return "known" if key.public_key in {one.public_key for one in keys} else "unknown"
