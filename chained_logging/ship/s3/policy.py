"""The form of a policy: how long and how strictly objects are locked. See ``docs/s3.md``.

Nothing here reads a bucket; :mod:`chained_logging.ship.s3.policies` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from chained_logging.format.canonical import canonical
from chained_logging.format.note import MAX_NOTE, Note, sign_note, verify_note
from chained_logging.format.vkey import Signer, VerifierKey

FORMAT: Final = 1
"""The version of this layout, in every policy and digest."""

MODES: Final = ("GOVERNANCE", "COMPLIANCE")
"""Modes of S3 Object Lock, the weaker first."""

POLICY_SIGNER: Final = "chained-logging/policy"
"""The name of the key that signs policies."""

MAX_DAYS: Final = 36_500
"""The longest retention that S3 takes: 100 years."""


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
        """Return the object's content for a policy that follows another: a signed note.

        :param store: the URL of the bucket and the prefix. The policy is valid for no other.
        """
        return sign_note(f"{store}\n{self.format().decode()}", POLICY_SIGNER, signer).format()

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Parse an object's content as a policy.

        :raises ValueError: if it is not a policy, or of a later format.
        """
        fields = parse_object(data, "a policy")
        try:
            policy = cls(fields["days"], fields["mode"], fields["default_retention"], fields["key"])
        except (KeyError, TypeError, AttributeError):
            raise ValueError("not a policy: a field is missing or of another type") from None
        if policy.format() != data:
            raise ValueError(f"not a policy of format {FORMAT} in canonical form")
        return policy

    def parse_next(self, data: bytes, store: str) -> Policy:
        """Parse an object's content as the next policy, which this policy's key must have signed.

        :param store: as for :meth:`sign`.
        :raises ValueError: if it is malformed, or may not follow this one.
        """
        if data == self.format():
            return self  # put once more
        if self.key is None:
            raise ValueError("the policy before names no key, so no other can follow it")
        note = Note.parse(data)
        verify_note(note, [VerifierKey.parse(self.key)])
        named, _, text = note.text.partition("\n")
        policy = Policy.parse(text.encode())
        if named != store:
            raise ValueError(f"it is a policy of {named}")
        if not policy.covers(self):
            raise ValueError("it is shorter or weaker than the one before")
        return policy


def parse_object(data: str | bytes, what: str) -> dict[str, Any]:
    """Parse JSON of this layout's format.

    :param what: what it should be, for the error.
    :raises ValueError: if it is another format, or not JSON.
    """
    if len(data) > MAX_NOTE:
        raise ValueError(f"not {what}: it has more than {MAX_NOTE} bytes")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"not {what}: it is not JSON") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(f"not {what} of format {FORMAT}")
    return fields
