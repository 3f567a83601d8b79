"""The names and keys under which notes are signed: key IDs and vkeys (C2SP ``signed-note``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from chained_logging.format.spelling import NoteError, check_name, from_base64, to_base64

ED25519: Final = 0x01
"""The signature type of an Ed25519 signature over the text of a note."""

COSIGNATURE: Final = 0x04
"""The signature type of a witness's Ed25519 signature over a time and a checkpoint."""

MLDSA_COSIGNATURE: Final = 0x06
"""The signature type of a witness's ML-DSA-44 signature (FIPS 204) over its name, a time and a
checkpoint without its extension lines. It is verified here, not made."""

COSIGNATURES: Final = (COSIGNATURE, MLDSA_COSIGNATURE)
"""The signature types of witnesses."""

_KEY_SIZES: Final = {ED25519: 32, COSIGNATURE: 32, MLDSA_COSIGNATURE: 1312}

_SMALL_ORDER: Final = frozenset(
    map(
        bytes.fromhex,
        (
            "00" * 32,
            "01" + "00" * 31,
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ec" + "ff" * 30 + "7f",
            "ed" + "ff" * 30 + "7f",
            "ee" + "ff" * 30 + "7f",
        ),
    )
)
# The points of small order on edwards25519, without the sign bit, as libsodium's has_small_order
# lists them. For such a key one signature holds for many texts, and anybody can make it.


class Signer(Protocol):
    """An Ed25519 private key, wherever it is kept."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032)."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64 bytes of the signature over `data`."""


def key_id(name: str, type: int, public_key: bytes) -> bytes:
    """Return the 4 bytes by which a signature names its key, along with the key's name.

    SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] (C2SP ``signed-note``). It is a help for finding
    the key and proves nothing.

    :raises NoteError: if the name cannot be a key's, or the type is not one byte.
    """
    check_name(name)
    if not 0 <= type <= 0xFF:
        raise NoteError("the type of a signature must be one byte")
    return sha256(b"%b\n%c%b" % (name.encode(), type, public_key)).digest()[:4]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and what it signs: notes, or cosignatures of checkpoints."""

    name: str
    type: int
    """:data:`ED25519`, :data:`COSIGNATURE` or :data:`MLDSA_COSIGNATURE`."""
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        size = _KEY_SIZES.get(self.type)
        if size is None:
            raise NoteError(f"keys of type {self.type} are not supported")
        if len(self.public_key) != size:
            kind = "ML-DSA-44" if self.type == MLDSA_COSIGNATURE else "Ed25519"
            raise NoteError(
                f"an {kind} public key must have {size} bytes, not {len(self.public_key)}"
            )
        if size == 32 and _without_sign(self.public_key) in _SMALL_ORDER:
            raise NoteError("an Ed25519 public key must not be a point of small order")

    @property
    def id(self) -> bytes:
        """The :func:`key_id`."""
        return key_id(self.name, self.type, self.public_key)

    def format(self) -> str:
        """Return the key as a *vkey*: ``name+hex+base64`` (C2SP ``signed-note``)."""
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.type]) + self.public_key)}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Parse a vkey.

        :raises NoteError: if the text is not a vkey, its ID does not match its name and key, or
            its type is not supported.
        """
        parts = vkey.split("+", 2)  # base64 may have a plus of its own
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
            raise NoteError("not a verifier key: it is not name+ID+key")
        name, id, encoded = parts
        data = from_base64(encoded, "the key in a verifier key")
        if not data:
            raise NoteError("not a verifier key: its key is empty")
        if key_id(name, data[0], data[1:]).hex() != id:
            raise NoteError("the ID in the verifier key is not that of its name and key")
        return cls(name, data[0], data[1:])


_KEY_ID = re.compile("[0-9a-f]{8}")


def _without_sign(point: bytes) -> bytes:
    return point[:31] + bytes([point[31] & 0x7F])
