"""Proof files: an inclusion proof and its checkpoint in one file (C2SP ``tlog-proof``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import HASH_SIZE, MAX_SIZE
from chained_logging.format.note import Note
from chained_logging.format.spelling import NoteError, from_base64, to_base64, to_number

MAX_PROOF: Final = 2_000_000
"""The longest proof file in bytes, with its checkpoint."""

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
            lines.append(f"extra {to_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [to_base64(hash) for hash in self.hashes]
        return "".join(line + "\n" for line in lines).encode() + b"\n" + self.checkpoint.format()

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Return the proof that these bytes are.

        :raises NoteError: if they are not a proof, or do not hold a checkpoint.
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
            extra = from_base64(lines.pop(0).removeprefix("extra "), "the extra data of a proof")
            if not extra:
                raise NoteError("a proof without extra data must not have a line for it")
        if not lines or not lines[0].startswith("index "):
            raise NoteError("the proof does not say which entry it is for")
        index = to_number(lines.pop(0).removeprefix("index "), "the index in a proof")
        hashes = [from_base64(line, "a hash in a proof") for line in lines]
        return cls(index, tuple(hashes), Note.parse(checkpoint), extra)
