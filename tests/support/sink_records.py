"""Records for a store, without a log."""

from __future__ import annotations

import io

from log_parts import events

from chained_logging.format.line import GENESIS, leaf_hash
from chained_logging.format.record import EMPTY, Head, Record


def chained(count: int, head: Head = EMPTY) -> list[Record]:
    """Return so many records that follow a head."""
    seq, prev = head.seq, GENESIS if head == EMPTY else head.hash
    records = []
    for event in events(*["a"] * count):
        seq += 1
        body = event.body(seq, prev)
        prev = leaf_hash(body)
        records.append(Record(seq, body, prev, None))
    return records


class Growing(io.BytesIO):
    """A file to which another process writes: each read sees a little more."""

    def __init__(self, *reads: bytes) -> None:
        super().__init__()
        self.reads = list(reads)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self.reads.pop(0) if self.reads else b""
