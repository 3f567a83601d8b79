"""What a witness is asked, as bytes (C2SP ``tlog-witness``)."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from chained_logging.format.merkle import HASH_SIZE, MAX_SIZE
from chained_logging.format.note import Note
from chained_logging.format.spelling import NoteError

MAX_REQUEST: Final = 128 * 1024
"""The longest request body in bytes that a :class:`Witness` takes: 63 hashes and a checkpoint with
16 signatures of near 5 kB, the least that C2SP ``signed-note`` asks for."""

MAX_PROOF_LINES: Final = 63
"""The most hashes in a request (C2SP ``tlog-witness``)."""

TEXT_TYPE: Final = "text/plain; charset=utf-8"
SIZE_TYPE: Final = "text/x.tlog.size"  # of a 409 (C2SP tlog-witness)


class Submission(NamedTuple):
    """What is posted to ``add-checkpoint``."""

    old_size: int
    proof: list[bytes]
    note: Note


def format_request(old_size: int, proof: Sequence[bytes], checkpoint_note: bytes) -> bytes:
    """Return the body of a request: ``old N``, the hashes, an empty line, the checkpoint.

    :raises ValueError: if there are more than 63 hashes, one has not 32 bytes, or the size is out
        of bounds.
    """
    if not 0 <= old_size <= MAX_SIZE:
        raise ValueError("the size of a tree must be from 0 to 2**63 - 1")
    if len(proof) > MAX_PROOF_LINES:
        raise ValueError(f"a consistency proof must have at most {MAX_PROOF_LINES} hashes")
    if any(len(hash) != HASH_SIZE for hash in proof):
        raise ValueError("a hash in a proof must have 32 bytes")
    lines = [b"old %d" % old_size, *map(base64.b64encode, proof), b"", checkpoint_note]
    return b"\n".join(lines)


_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


def parse_request(body: bytes) -> Submission:
    """Parse the body of a request. Nothing in it is verified.

    :raises NoteError: if it is malformed.
    """
    head, empty, note = body.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if old is None or not empty:
        raise NoteError("not a request: it is not old size, hashes, an empty line, a checkpoint")
    if len(lines) > MAX_PROOF_LINES:
        raise NoteError(f"a request must have at most {MAX_PROOF_LINES} hashes")
    proof = []
    for line in lines:
        try:
            hash = base64.b64decode(line, validate=True)
        except ValueError:
            hash = b""
        # The decoder lets the unused bits of the last character be anything.
        if len(hash) != HASH_SIZE or base64.b64encode(hash) != line:
            raise NoteError("a hash in the request is not the base64 of 32 bytes")
        proof.append(hash)
    return Submission(int(old[1]), proof, Note.parse(note))
