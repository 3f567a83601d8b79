"""The chain as pure functions on bytes: an entry's hash, its stored line, its position.

Nothing here reads a file, a clock or a key. The format is specified in ``docs/format.md``; a body
is canonical JSON (:mod:`chained_logging.format.canonical`), and its hash is the leaf hash of
RFC 6962 section 2.1.
"""

from __future__ import annotations

import re
import uuid
from hashlib import sha256
from typing import Final, NamedTuple

GENESIS: Final = "GENESIS"
"""``prev_hash`` of entry 0."""

MAX_BODY: Final = 65_535
"""The longest body in bytes: what a C2SP ``tlog-tiles`` entry bundle can hold."""


def leaf_hash(body: bytes) -> str:
    """Return the hash of an entry's body: SHA-256 over a zero byte and the body, in hexadecimal.

    The zero byte is the leaf prefix of RFC 6962 section 2.1, so that no inner
    node of a Merkle tree can be passed off as an entry.
    """
    return sha256(b"\0" + body).hexdigest()


def stored_line(body: bytes, hash: str, signature: str | None = None) -> bytes:
    """Return the line that is kept: the body with its hash (and signature) before the last brace.

    :param signature: base64 of an Ed25519 signature, if the entry has one.
    """
    if signature is None:
        return body[:-1] + f',"hash":"{hash}"}}'.encode()  # half the time of b"%b"
    return b'%b,"hash":"%b","signature":"%b"}' % (body[:-1], hash.encode(), signature.encode())


class StoredLine(NamedTuple):
    """The parts of a stored line."""

    body: bytes
    hash: str
    signature: str | None


_ENDING = re.compile(rb',"hash":"([0-9a-f]{64})"(?:,"signature":"([A-Za-z0-9+/]{86}==)")?}')


def split_line(line: bytes) -> StoredLine:
    """Cut a stored line (without its line feed) into body, hash and signature.

    :raises ValueError: if the line has not that form. Whether the hash is the
        body's is not asked here.
    """
    cut = line.rfind(b',"hash":"')
    ending = _ENDING.fullmatch(line, cut) if cut > 0 else None
    if ending is None or not line.startswith(b"{"):
        raise ValueError("not a stored line: it does not end with a hash")
    hash, signature = ending.groups()
    return StoredLine(
        line[:cut] + b"}", hash.decode(), None if signature is None else signature.decode()
    )


_CHAIN_FIELDS = re.compile(rb',"prev_hash":"(GENESIS|[0-9a-f]{64})"')
_SEQ = re.compile(rb',"seq":(0|[1-9][0-9]{0,15})[,}]')


def position(body: bytes) -> tuple[int, str]:
    """Return ``(seq, prev_hash)`` of a body without parsing it.

    The last ``,"prev_hash":"`` in a body is the top-level one: only strings and
    numbers follow, and a quotation mark inside a JSON string is escaped.

    :raises ValueError: if they are not there.
    """
    at = body.rfind(b',"prev_hash":"')
    prev = _CHAIN_FIELDS.match(body, at) if at > 0 else None
    seq = _SEQ.match(body, body.rfind(b',"seq":')) if prev else None
    if prev is None or seq is None:
        raise ValueError("not an entry: it has no position in a chain")
    return int(seq[1]), prev[1].decode()


def recorded_at(body: bytes) -> float:
    """Return when an entry was recorded, by the UUIDv7 in its ``id``: seconds since 1970.

    :raises ValueError: if this is not a body.
    """
    at = body.rfind(b'"id":"', 0, body.rfind(b'"ip_address":'))
    return (uuid.UUID(body[at + 6 : at + 42].decode()).int >> 80) / 1000


def check_next(body: bytes, hash: str, seq: int, prev: str | None) -> None:
    """Check that an entry comes next in a chain: its hash, its number and its link.

    :param seq: the number that it must have.
    :param prev: the hash that it must hold; None if that is not known.
    :raises ValueError: if it does not, with what is wrong.
    """
    found, link = position(body)
    if leaf_hash(body) != hash:
        raise ValueError(f"the hash of entry {found} is not that of its content")
    if found != seq:
        raise ValueError(f"entry {seq - 1} is followed by {found}")
    if prev is not None and link != prev:
        raise ValueError(f"entry {found} does not hold the hash of the one before it")
