"""Signed notes and cosignatures of C2SP, as pure functions on bytes.

Nothing here reads a file, a clock or a private key. The formats are those of c2sp.org:
``signed-note`` (a text and the signatures under it) and ``tlog-cosignature`` (a witness's signature
with its time).

Every format has one spelling: what is parsed and formatted again gives the same bytes, and what
would not is refused. An object that breaks the rules of its format cannot be made either.

Signing is left to a :class:`~chained_logging.format.vkey.Signer`. Only :func:`verify_note` needs
the package `cryptography`. For ML-DSA-44 cosignatures it must be one that has that algorithm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import MAX_SIZE
from chained_logging.format.spelling import (
    NoteError,
    check_name,
    check_text,
    from_base64,
    to_base64,
)
from chained_logging.format.vkey import (
    COSIGNATURE,
    COSIGNATURES,
    ED25519,
    MLDSA_COSIGNATURE,
    Signer,
    VerifierKey,
)

MAX_NOTE: Final = 1_000_000
"""The longest note in bytes, as in Go's ``sumdb/note``."""

MAX_SIGNATURES: Final = 100
"""The most signatures under a note, as in Go's ``sumdb/note``."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature under a note. That it is there says nothing: :func:`verify_note` does."""

    name: str
    key_id: bytes
    value: bytes
    """What the key's algorithm made: for :data:`ED25519` 64 bytes, for :data:`COSIGNATURE` 72, for
    :data:`MLDSA_COSIGNATURE` 2,428."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != 4 or not self.value:
            raise NoteError("a signature has a key ID of 4 bytes and at least one byte more")

    def format(self) -> str:
        """Return the signature line, without its newline."""
        return f"— {self.name} {to_base64(self.key_id + self.value)}"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Return the signature that a line states.

        :raises NoteError: if it is not a signature line.
        """
        dash, _, rest = line.partition(" ")
        name, space, encoded = rest.partition(" ")
        if dash != "—" or not space:
            raise NoteError("not a signature line: it is not — name signature")
        data = from_base64(encoded, "a signature")
        return cls(name, data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signatures under it, verified or not (C2SP ``signed-note``)."""

    text: str
    """It ends with a newline, which is signed too."""
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        _check_note_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise NoteError(f"a note must have 1 to {MAX_SIGNATURES} signatures")
        if len(self.format()) > MAX_NOTE:
            raise NoteError(f"the note has more than {MAX_NOTE} bytes")

    def with_signatures(self, *signatures: Signature) -> Note:
        """Return the note with more signatures under it.

        :raises NoteError: if they become too many.
        """
        return Note(self.text, (*self.signatures, *signatures))

    def format(self) -> bytes:
        """Return the note as it is sent and stored."""
        lines = [signature.format() + "\n" for signature in self.signatures]
        return f"{self.text}\n{''.join(lines)}".encode()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Return the note that these bytes are. Its signatures are not verified.

        :raises NoteError: if they are none.
        """
        if len(data) > MAX_NOTE:
            raise NoteError(f"the note has more than {MAX_NOTE} bytes")
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise NoteError("the note is not UTF-8") from None
        # Only line feeds end a line: U+0085 and U+2028 may occur in a text. The text may have
        # empty lines, the signatures have none, so the last empty line is between them.
        text, empty, lines = whole.rpartition("\n\n")
        if not empty or not lines.endswith("\n"):
            raise NoteError("not a note: no text, empty line and signature lines")
        signatures = [Signature.parse(line) for line in lines[:-1].split("\n")]
        return cls(text + "\n", tuple(signatures))


def sign_note(text: str, name: str, signer: Signer) -> Note:
    """Return a text as a note with one signature, of type :data:`ED25519`.

    :param text: ends with a newline; of a checkpoint, what :meth:`Checkpoint.format` returns.
    :param name: the key's. That of a log is its origin, by custom.
    :raises NoteError: if the text or the name cannot be in a note, or the signer returns something
        else than 64 bytes.
    """
    _check_note_text(text)
    id = VerifierKey(name, ED25519, signer.public_key).id
    return Note(text, (Signature(name, id, _sign(signer, text.encode())),))


def cosign(checkpoint_text: str, name: str, signer: Signer, time: int) -> Signature:
    """Return a witness's signature of a checkpoint, of type :data:`COSIGNATURE`.

    It says that at `time` this was the largest tree of its log that the witness had seen, and that
    it was consistent with all before. The name is not signed, so a key serves one witness and is
    not a log's key at the same time (C2SP ``tlog-cosignature``).

    :param checkpoint_text: what :meth:`Checkpoint.format` returns, or the text of a note.
    :param time: seconds since 1970, 1 to 2**63 - 1: a witness must not leave it out
        (C2SP ``tlog-witness``).
    :raises NoteError: if the text is not a checkpoint's, the name or the time cannot be, or the
        signer returns something else than 64 bytes.
    """
    Checkpoint.parse(checkpoint_text)
    if not 1 <= time <= MAX_SIZE:
        raise NoteError("the time of a cosignature must be from 1 to 2**63 - 1")
    id = VerifierKey(name, COSIGNATURE, signer.public_key).id
    value = _sign(signer, _cosigned(checkpoint_text, time))
    return Signature(name, id, time.to_bytes(8, "big") + value)


class Verified(NamedTuple):
    """A key whose signature under a note holds."""

    key: VerifierKey
    time: int | None
    """When a cosignature was made, in seconds since 1970. The witness says so."""


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> list[Verified]:
    """Verify the signatures under a note; return the keys whose signatures hold.

    Signatures of other keys are ignored, but every signature of one of the `keys` must hold. Each
    key is returned once, in the order of the note, even if it signed twice, so that a caller with
    a quorum can count.

    One known key is enough here, even if it is only a witness's. If you need the signature of the
    log itself, look for its key in the result.

    :raises NoteError: if a signature of a known key does not hold, if no known key signed, or if
        two different `keys` have the same name and ID.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise NoteError(f"two different keys are {_shown(key)}")
    verified: dict[VerifierKey, Verified] = {}
    for signature in note.signatures:
        signing = known.get((signature.name, signature.key_id))
        if signing is not None:
            time = _verify(signing, note.text, signature.value)
            verified.setdefault(signing, Verified(signing, time))
    if not verified:
        raise NoteError("the note has no signature of a known key")
    return list(verified.values())


def _verify(key: VerifierKey, text: str, value: bytes) -> int | None:
    """Check one signature and return its time, if it is a cosignature."""
    time = None
    message = text.encode()
    if key.type in COSIGNATURES:
        checkpoint = Checkpoint.parse(text)
        time, value = int.from_bytes(value[:8], "big"), value[8:]
        if time > MAX_SIZE:
            raise NoteError(f"the time of the cosignature of {_shown(key)} is beyond 2**63 - 1")
        if key.type == COSIGNATURE:
            message = _cosigned(text, time)
        else:
            message = _cosigned_subtree(checkpoint, key.name, time)
    if not _holds(key, value, message):
        raise NoteError(f"the signature of {_shown(key)} is not valid")
    return time


def _holds(key: VerifierKey, value: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    algorithm: type[Any] = Ed25519PublicKey
    try:
        if key.type == MLDSA_COSIGNATURE:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            algorithm = MLDSA44PublicKey
        algorithm.from_public_bytes(key.public_key).verify(value, message)
    except (ImportError, UnsupportedAlgorithm):
        raise NoteError(
            f"the package cryptography is too old to check the signature of {_shown(key)}"
        ) from None
    except (InvalidSignature, ValueError):  # a ValueError would be: no point on the curve
        return False
    return True


def _sign(signer: Signer, message: bytes) -> bytes:
    value = signer.sign(message)
    if len(value) != 64:
        raise NoteError(
            f"an Ed25519 signature must have 64 bytes, but the signer returned {len(value)}"
        )
    return value


def _cosigned(text: str, time: int) -> bytes:
    """Return what a witness signs (C2SP ``tlog-cosignature``, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _cosigned_subtree(checkpoint: Checkpoint, name: str, time: int) -> bytes:
    """Return what a witness signs (C2SP ``tlog-cosignature``, ML-DSA-44 signed message)."""
    names = [name.encode(), checkpoint.origin.encode()]
    if any(len(each) > 255 for each in names):
        raise NoteError("an ML-DSA-44 cosignature needs names of at most 255 bytes")
    witness, origin = (bytes([len(each)]) + each for each in names)
    ends = struct.pack(">QQ", 0, checkpoint.size)
    return b"subtree/v1\n\0" + witness + struct.pack(">Q", time) + origin + ends + checkpoint.root


def _shown(key: VerifierKey) -> str:
    return f"{key.name}+{key.id.hex()}"


def _check_note_text(text: str) -> None:
    check_text(text, "the text of a note")
    if not text.endswith("\n"):
        raise NoteError("the text of a note does not end with a newline")
