"""Signed notes, checkpoints, cosignatures and proof files of C2SP, as pure functions on bytes.

Nothing here reads a file, a clock or a private key. The formats are those of c2sp.org:
``signed-note`` (a text and the signatures under it), ``tlog-checkpoint`` (a text that states the
size and the root of a log), ``tlog-cosignature`` (a witness's signature with its time) and
``tlog-proof`` (an inclusion proof and its checkpoint in one file).

Every format has one spelling here: what is parsed and formatted again gives the same bytes, and
what would not is refused. So base64 is that of RFC 4648 section 4 with its padding and without
stray bits, hexadecimal is lower-case and a number has no leading zero. An object that breaks the
rules of its format cannot be made either.

Signing is left to a :class:`Signer`. Only :func:`verify_note` needs the package `cryptography`, for
cosignatures of type :data:`MLDSA_COSIGNATURE` one that has ML-DSA-44.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

from chained_logging.format.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE

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

MAX_NOTE: Final = 1_000_000
"""The longest note in bytes, as in Go's ``sumdb/note``."""

MAX_SIGNATURES: Final = 100
"""The most signatures under a note, as in Go's ``sumdb/note``."""

MAX_PROOF: Final = 2_000_000
"""The longest proof file in bytes, with its checkpoint."""


class NoteError(ValueError):
    """Something is not in its format, or a signature does not hold."""


class Signer(Protocol):
    """An Ed25519 private key, wherever it is kept."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032)."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64 bytes of the signature over `data`."""


# --- Keys.


def key_id(name: str, type: int, public_key: bytes) -> bytes:
    """Return the 4 bytes by which a signature names its key, along with the key's name.

    SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] (C2SP ``signed-note``). It is a help for finding
    the key and proves nothing.

    :raises NoteError: if the name cannot be a key's, or the type is not one byte.
    """
    _check_name(name)
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
        _check_name(self.name)
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
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.type]) + self.public_key)}"

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
        data = _unbase64(encoded, "the key in a verifier key")
        if not data:
            raise NoteError("not a verifier key: its key is empty")
        if key_id(name, data[0], data[1:]).hex() != id:
            raise NoteError("the ID in the verifier key is not that of its name and key")
        return cls(name, data[0], data[1:])


_KEY_ID = re.compile("[0-9a-f]{8}")


def _without_sign(point: bytes) -> bytes:
    return point[:31] + bytes([point[31] & 0x7F])


# --- Notes.


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature under a note. That it is there says nothing: :func:`verify_note` does."""

    name: str
    key_id: bytes
    value: bytes
    """What the key's algorithm made: for :data:`ED25519` 64 bytes, for :data:`COSIGNATURE` 72, for
    :data:`MLDSA_COSIGNATURE` 2,428."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key_id) != 4 or not self.value:
            raise NoteError("a signature has a key ID of 4 bytes and at least one byte more")

    def format(self) -> str:
        """Return the signature line, without its newline."""
        return f"— {self.name} {_base64(self.key_id + self.value)}"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Return the signature that a line states.

        :raises NoteError: if it is not a signature line.
        """
        dash, _, rest = line.partition(" ")
        name, space, encoded = rest.partition(" ")
        if dash != "—" or not space:
            raise NoteError("not a signature line: it is not — name signature")
        data = _unbase64(encoded, "a signature")
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
        # Only line feeds end a line: U+0085 and U+2028 may stand in a text. The text may have
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
    it was consistent with all before. The name is not signed, so a key serves one witness and is no
    log's key at the same time (C2SP ``tlog-cosignature``).

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


# --- Checkpoints.


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states about itself at one moment (C2SP ``tlog-checkpoint``).

    It is worth something once :func:`verify_note` has verified the note whose text it is.
    """

    origin: str
    """The log's name, one line."""
    size: int
    root: bytes
    """The root of the RFC 6962 tree of that size. For size 0 no other than that of the empty
    tree."""
    extensions: tuple[str, ...] = ()
    """Further lines, which are signed but mean nothing here."""

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            _check_text(line, "a line of a checkpoint")
            if not line or "\n" in line:
                raise NoteError("the origin and each extension of a checkpoint must be one line")
        if not 0 <= self.size <= MAX_SIZE:
            raise NoteError("the size of a checkpoint must be from 0 to 2**63 - 1")
        if len(self.root) != HASH_SIZE:
            raise NoteError(f"the root of a checkpoint must have 32 bytes, not {len(self.root)}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise NoteError("the root of a checkpoint of size 0 is not that of the empty tree")

    def format(self) -> str:
        """Return the text of the note."""
        lines = (self.origin, str(self.size), _base64(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse a checkpoint from the text of a note.

        :raises NoteError: if the text is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise NoteError("not a checkpoint: it lacks the lines origin, size and root")
        origin, size, root, *extensions = lines
        return cls(
            origin,
            _number(size, "the size of a checkpoint"),
            _unbase64(root, "the root of a checkpoint"),
            tuple(extensions),
        )


# --- Proof files.

_PROOF_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An inclusion proof with the checkpoint it leads to, in one file (C2SP ``tlog-proof``).

    Nothing in it is verified. To verify it: compute the leaf hash from the entry, never from this
    file; :func:`verify_note` on the checkpoint, with the log's key among what it returns;
    :meth:`Checkpoint.parse` on its text, and compare the origin; and
    :func:`chained_logging.format.merkle.verify_inclusion`.
    """

    index: int
    """Which entry of the log it is, from 0."""
    hashes: tuple[bytes, ...]
    """The audit path of RFC 6962, as :func:`~chained_logging.format.merkle.inclusion_proof`
    returns it."""
    checkpoint: Note
    extra: bytes = b""
    """Any bytes; nothing signs them. Empty if the proof has no extra data."""

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_SIZE:
            raise NoteError("the index in a proof must be from 0 to 2**63 - 2")
        if len(self.hashes) > 63:
            raise NoteError(
                f"an inclusion proof must have at most 63 hashes, not {len(self.hashes)}"
            )
        for hash in self.hashes:
            if len(hash) != HASH_SIZE:
                raise NoteError(f"a hash in a proof must have 32 bytes, not {len(hash)}")
        Checkpoint.parse(self.checkpoint.text)
        if len(self.format()) > MAX_PROOF:
            raise NoteError(f"the proof has more than {MAX_PROOF} bytes")

    def format(self) -> bytes:
        """Return the content of the file, whose name should end with ``.tlog-proof``."""
        lines = [_PROOF_HEADER]
        if self.extra:
            lines.append(f"extra {_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [_base64(hash) for hash in self.hashes]
        return "".join(line + "\n" for line in lines).encode() + b"\n" + self.checkpoint.format()

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Return the proof that these bytes are.

        :raises NoteError: if they are none, or what they hold is no checkpoint.
        """
        if len(data) > MAX_PROOF:
            raise NoteError(f"the proof has more than {MAX_PROOF} bytes")
        head, empty, checkpoint = data.partition(b"\n\n")
        if not head.isascii() or not empty:
            raise NoteError("not a proof: no lines of ASCII, empty line and checkpoint")
        header, *lines = head.decode().split("\n")
        if header != _PROOF_HEADER:
            raise NoteError(f"not a proof: it does not begin with {_PROOF_HEADER}")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = _unbase64(lines.pop(0).removeprefix("extra "), "the extra data of a proof")
            if not extra:
                raise NoteError("a proof without extra data must not have a line for it")
        if not lines or not lines[0].startswith("index "):
            raise NoteError("the proof does not say which entry it is for")
        index = _number(lines.pop(0).removeprefix("index "), "the index in a proof")
        hashes = [_unbase64(line, "a hash in a proof") for line in lines]
        return cls(index, tuple(hashes), Note.parse(checkpoint), extra)


# --- The parts of which all formats are made.

_CONTROL = re.compile("[\0-\x09\x0b-\x1f]")
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")


def _check_text(text: str, what: str) -> None:
    """Refuse what C2SP ``signed-note`` bars from a note: no UTF-8, or controls below U+0020."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError(f"{what} has a lone surrogate, which has no UTF-8") from None
    if _CONTROL.search(text):
        raise NoteError(f"{what} has a control character")


def _check_note_text(text: str) -> None:
    _check_text(text, "the text of a note")
    if not text.endswith("\n"):
        raise NoteError("the text of a note does not end with a newline")


def _check_name(name: str) -> None:
    """Refuse what C2SP ``signed-note`` bars from a key's name, and all that splits a line."""
    _check_text(name, "the name of a key")
    if not name or "+" in name or any(map(str.isspace, name)):
        raise NoteError("the name of a key is empty or has a space or a plus in it")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteError(f"{what} is not base64") from None
    # The decoder lets the unused bits of the last character be anything.
    if _base64(data) != text:
        raise NoteError(f"{what} is not base64 in its one form")
    return data


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NoteError(f"{what} is not a decimal number of at most 19 digits")
    return int(text)
