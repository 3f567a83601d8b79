"""What an object of a log holds: a segment's entries, a checkpoint. Pure functions on bytes."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chained_logging.errors import BrokenLog
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.canonical import canonical
from chained_logging.format.line import MAX_BODY, leaf_hash, position
from chained_logging.format.note import MAX_NOTE, Note, verify_note
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.spelling import NoteError
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import ED25519, Signer, VerifierKey
from chained_logging.keys.keyring import KEY_ACTIONS
from chained_logging.ship.s3.names import CHECKPOINTS, SEGMENTS, Name
from chained_logging.ship.s3.store import MAX_CONTENT, Version
from chained_logging.sinks.checkpoints import frontier
from chained_logging.sinks.lines import line_of, parsed

MAX_ENTRIES: Final = 20_000
"""The most entries in one segment."""

_MAX_LINE: Final = MAX_BODY + 200
_NAMED_KEY = tuple(b'{"action":"%b","actor_id":"' % action.encode() for action in KEY_ACTIONS)


Object = tuple[Name, Version]
"""An object of a log, as its oldest version."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a version's content. It does not change any more."""

    sha256: str
    size: int
    content: str
    """SHA-256 of a segment before compression: what two compressors agree on. Else `sha256`."""
    mode: str | None
    until: float | None
    """Object Lock's mode and date, None if it shows none."""
    problem: str | None = None
    """Why this is not what its name says."""
    first_prev: str = ""
    """The `prev_hash` of a segment's first entry; empty if that was removed."""
    last_hash: str = ""
    keys: tuple[str, ...] = ()
    """The public keys that the log names in it, as vkeys."""
    stubs: int = 0
    """How many of a segment's entries were removed: their stubs are in their places."""


def gzip_of(content: bytes) -> bytes:
    """Return bytes as gzip, without a time in it: the same content is the same object."""
    return gzip.compress(content, 6, mtime=0)


def unpack(data: bytes) -> tuple[bytes, str | None]:
    """Return what a segment's object holds, and what is wrong with it.

    At most :data:`MAX_CONTENT` bytes are unpacked, whatever the object claims.
    """
    unzip = zlib.decompressobj(31)
    try:
        content = unzip.decompress(data, MAX_CONTENT + 1)
    except zlib.error:
        return b"", "is not gzip, or damaged"
    if len(content) > MAX_CONTENT:
        return b"", f"unpacks to more than {MAX_CONTENT} bytes"
    if not unzip.eof:
        return content, "is cut short"
    return content, "has something after its end" if unzip.unused_data else None


Item = Record | Stub
"""What a line of a segment holds: an entry, or what is left of one that was removed."""


def content_of(items: Iterable[Item]) -> bytes:
    """Return the content of a segment, before compression."""
    return b"".join(line_of(item) + b"\n" for item in items)


def follows(item: Item, before: Head) -> bool:
    """Whether an item comes after an entry. Of a stub only its place is known."""
    if item.seq != before.seq + 1:
        return False
    return isinstance(item, Stub) or position(item.body)[1] == before.hash


def entries(content: bytes, name: Name) -> tuple[list[Item], str | None]:
    """Return a segment's entries and stubs up to the first thing that is wrong, and what that is.

    The hash of each entry is that of its body, and each names the one before.
    """
    lines = content.split(b"\n")
    rest = lines.pop()
    found: list[Item] = []
    for seq, line in enumerate(lines, name.first):
        if seq > name.last:
            return found, f"goes on after entry {name.last}"
        if len(line) > _MAX_LINE:
            return found, f"has a line that is longer than an entry, in place of entry {seq}"
        try:
            item = parsed(line)
        except ValueError:
            return found, f"has a line that is not an entry, in place of entry {seq}"
        wrong = _wrong(item, seq, found[-1] if found else None)
        if wrong is not None:
            return found, wrong
        found.append(item)
    if rest or len(found) <= name.last - name.first:
        return found, f"ends before entry {name.first + len(found)}"
    return found, None


def _wrong(item: Item, seq: int, before: Item | None) -> str | None:
    if item.seq != seq:
        return f"has entry {item.seq} in place of entry {seq}"
    if isinstance(item, Stub):
        return None
    if leaf_hash(item.body) != item.hash:
        return f"has an entry {seq} whose hash is not that of its body"
    if before is not None and not follows(item, Head(before.seq, before.hash)):
        return f"has an entry {seq} that is not chained to the one before"
    return None


def parse_checkpoint(data: bytes, name: Name) -> StoredCheckpoint:
    """Parse an object's content as a checkpoint that the log kept.

    :raises ValueError: if it is not a checkpoint, or of another size.
    """
    if len(data) > MAX_NOTE:
        raise ValueError(f"it has more than {MAX_NOTE} bytes")
    try:
        found = StoredCheckpoint.from_json(data)
        if canonical(found.to_dict()) + b"\n" != data:
            raise ValueError("it is not in canonical form")
        frontier(found)
    except BrokenLog as error:
        raise ValueError(str(error)) from None
    if found.size != name.first:
        raise ValueError("it is of another size")
    return found


def describe(
    name: Name, data: bytes, mode: str | None, until: float | None
) -> tuple[Facts, list[Item]]:
    """Return the facts of an object's content, and its entries if it is a segment."""
    sha256 = hashlib.sha256(data).hexdigest()
    if name.kind != SEGMENTS:
        problem = None
        if name.kind == CHECKPOINTS:
            try:
                parse_checkpoint(data, name)
            except ValueError as error:
                problem = f"is not a checkpoint: {error}"
        return Facts(sha256, len(data), sha256, mode, until, problem), []
    content, problem = unpack(data)
    records, wrong = entries(content, name)
    if records and not records[-1].hash.startswith(name.mark):
        wrong = wrong or "ends with another entry than its name says"
    facts = Facts(
        sha256,
        len(data),
        hashlib.sha256(content).hexdigest(),
        mode,
        until,
        problem or wrong,
        _first_prev(records),
        records[-1].hash if records else "",
        tuple(named_keys(records)),
        sum(isinstance(record, Stub) for record in records),
    )
    return facts, records


def _first_prev(records: list[Item]) -> str:
    if not records or isinstance(records[0], Stub):
        return ""
    return position(records[0].body)[1]


def log_key(origin: str, signer: Signer) -> VerifierKey:
    """Return the key by which a log's digests are verified: its own."""
    return VerifierKey(origin, ED25519, signer.public_key)


def is_signed(note: Note, keys: Iterable[VerifierKey]) -> bool:
    """Whether one of these keys signed a note."""
    try:
        return bool(verify_note(note, list(keys)))
    except NoteError:
        return False


def named_keys(records: Iterable[Item]) -> Iterator[str]:
    """Yield the keys, as vkeys, that the log names in these entries."""
    for record in records:
        if isinstance(record, Record) and record.body.startswith(_NAMED_KEY):
            entry = AuditEntry(record.body, record.hash)
            with contextlib.suppress(ValueError, AttributeError, KeyError):
                if (entry.actor_id, entry.actor_type) == (OURSELVES, "system"):
                    key = entry.context.get("public_key")
                    if key:
                        yield VerifierKey.parse(key).format()
