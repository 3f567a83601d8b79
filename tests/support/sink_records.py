"""Records for a store, without a log."""

from __future__ import annotations

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
