"""One message: a batch of a log as it is published, and the names of logs in subjects."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import unquote

from chained_logging.errors import ChainedLoggingError, Refused
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import check_next, position, split_line, stored_line
from chained_logging.format.record import Head, Record, StoredCheckpoint

FORMAT: Final = "1"
MAX_LINES: Final = 1 << 20
"""Bytes that the lines of one message may have before compression."""

_MAX_TOKEN: Final = 512
_NUMBER: Final = re.compile(r"-1|0|[1-9][0-9]{0,15}")
_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f]+")  # as a log's is
HASH: Final = re.compile(r"[0-9a-f]{64}|GENESIS")


class Message(NamedTuple):
    """A batch of one log, as it was published; not verified yet."""

    origin: str
    first: int
    """``seq`` of the first entry; without entries, one more than that of `head`."""
    head: Head
    """The log's head after this batch."""
    records: list[Record]
    checkpoints: list[StoredCheckpoint]

    def before(self) -> Head:
        """Return the head before its first entry."""
        if not self.records:
            return self.head
        return Head(self.first - 1, position(self.records[0].body)[1])

    def check(self) -> None:
        """Check each entry's hash, number and link within the message.

        :raises ValueError: at the first that is wrong.
        """
        seq, prev = self.first - 1, None
        for record in self.records:
            seq += 1
            check_next(record.body, record.hash, seq, prev)
            if seq == 0:
                opened = AuditEntry(record.body, record.hash).context
                if not isinstance(opened, dict) or opened.get("origin") != self.origin:
                    raise ValueError("its first entry opens a log of another origin")
            prev = record.hash
        if (seq, prev or self.head.hash) != self.head:
            raise ValueError("it does not end where it says")


def encode(
    first: int, head: Head, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the payload of a message."""
    lines = [stored_line(r.body, r.hash, r.signature) for r in records]
    lines += [json.dumps(c._asdict()).encode() for c in checkpoints]
    data = b"".join(line + b"\n" for line in lines)
    headers = {
        "Audit-Format": FORMAT,
        "Audit-First-Seq": str(first),
        "Audit-Last-Seq": str(head.seq),
        "Audit-Last-Hash": head.hash,
    }
    return headers, gzip.compress(data, 6, mtime=0)


class Foreign(ChainedLoggingError, ValueError):
    """A message that was not published by a shipper, or by a user with a shipper's permissions.

    A client that asks the server for something names the subject for the answer, and no permission
    restricts that. So any client can have answers put into another's log. They are not part of any
    log, and do not stop one.
    """


def check_published(headers: Mapping[str, str] | None, data: bytes | None) -> None:
    """Check that a message, as it is stored, is not an answer of the server's.

    :raises Foreign: if it is one: a confirmation, an error, or a copy of a stored message, to which
        the server adds where it came from.
    """
    headers = headers or {}
    if "Audit-Format" in headers:
        answer = "Nats-Stream" in headers
    else:
        answer = "Status" in headers or _is_answer((data or b"")[:10_000])
    if answer:
        raise Foreign("it is not from a shipper: it is a server's answer that was redirected here")


def _is_answer(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    return {"stream", "seq"} <= found.keys() or str(found.get("type")).startswith("io.nats.")


def decode(subject: str, headers: Mapping[str, str] | None, data: bytes | None) -> Message:
    """Read a message, with bounds.

    :raises ValueError: if it is malformed, with the reason.
    """
    headers = headers or {}
    if headers.get("Audit-Format") != FORMAT:
        raise ValueError(f"it is not in format {FORMAT}")
    first, last = headers.get("Audit-First-Seq", ""), headers.get("Audit-Last-Seq", "")
    hash = headers.get("Audit-Last-Hash", "")
    if not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(last) and HASH.fullmatch(hash)):
        raise ValueError("its headers do not say which entries it has")
    head = Head(int(last), hash)
    count = head.seq - int(first) + 1
    lines = _lines(data or b"")
    if not 0 <= count <= len(lines):
        raise ValueError("it does not hold the entries that its headers name")
    records = []
    for line in lines[:count]:
        stored = split_line(line)
        records.append(Record(position(stored.body)[0], *stored))
    return Message(
        origin_of(subject.rpartition(".")[2]),
        int(first),
        head,
        records,
        [_checkpoint(line) for line in lines[count:]],
    )


def _lines(data: bytes) -> list[bytes]:
    inflater = zlib.decompressobj(wbits=31)  # gzip
    try:
        text = inflater.decompress(data, MAX_LINES)
    except zlib.error:
        raise ValueError("its payload is not gzip") from None
    if not inflater.eof or inflater.unused_data:
        raise ValueError("its payload is cut, too long, or more than one gzip member")
    if text and not text.endswith(b"\n"):
        raise ValueError("its last line is cut")
    return text.split(b"\n")[:-1]


def _checkpoint(line: bytes) -> StoredCheckpoint:
    try:
        return StoredCheckpoint.from_json(line)
    except ValueError:
        raise ValueError("a line of it is neither an entry nor a checkpoint") from None


def pieces(
    start: Head,
    records: Sequence[Record],
    checkpoints: Sequence[StoredCheckpoint],
    limit: int,
) -> Iterator[tuple[int, Head, list[Record], list[StoredCheckpoint]]]:
    """Cut a batch into messages of at most `limit` bytes before compression."""
    head, first, size = start, start.seq + 1, 0
    some: list[Record] = []
    notes: list[StoredCheckpoint] = []
    items: list[Record | StoredCheckpoint] = [*records, *checkpoints]
    for item in items:
        if isinstance(item, StoredCheckpoint):
            length = len(json.dumps(item._asdict())) + 1
        else:
            length = len(item.body) + 200
        if size and size + length > limit:
            yield first, head, some, notes
            first, some, notes, size = head.seq + 1, [], [], 0
        if isinstance(item, StoredCheckpoint):
            notes.append(item)
        else:
            some.append(item)
            head = Head(item.seq, item.hash)
        size += length
    if size:
        yield first, head, some, notes


# --- Names.


def token_of(origin: str) -> str:
    """Return an origin as one token of a subject: ``example.com/web`` is ``example=2Ecom/web``.

    :raises Refused: if that is longer than 512 bytes.
    """
    token = "".join(
        chr(byte) if chr(byte) in _PLAIN else f"={byte:02X}" for byte in origin.encode()
    )
    if not 0 < len(token) <= _MAX_TOKEN:
        raise Refused(f"an origin of {len(origin)} characters is not a subject of a stream")
    return token


def origin_of(token: str) -> str:
    """Return the origin that a token stands for.

    :raises ValueError: if no origin has this token.
    """
    with contextlib.suppress(ValueError, Refused):
        origin = unquote(token.replace("%", "").replace("=", "%"), errors="strict")
        if token_of(origin) == token and _ORIGIN.fullmatch(origin):
            return origin
    raise ValueError("its subject does not name a log")


def name_of(token: str) -> str:
    """Return what a token names, for display: the token itself, if no origin has it."""
    try:
        return origin_of(token)
    except ValueError:
        return token


_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/")


def partition_of(origin: str, partitions: int) -> int:
    """Return the partition of a log. It never changes, and every client computes the same."""
    return int.from_bytes(sha256(origin.encode()).digest()[:8], "big") % partitions


def following(head: Head, message: Message) -> list[Record] | None:
    """Return those entries of a checked message that come after `head`; None if some are between.

    :raises ValueError: if it is of another history.
    """
    if message.first > head.seq + 1:
        return None
    if message.head.seq < head.seq:
        return []
    known = head.seq + 1 - message.first
    if known < len(message.records):
        new = message.records[known:]
        link = position(new[0].body)[1]
    else:
        new, link = [], message.head.hash
    if link != head.hash:
        raise ValueError(f"it is of another history: its entry {head.seq} is another one")
    return new
