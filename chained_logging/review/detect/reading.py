"""The entries of a log in order, whatever stores it, each parsed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from chained_logging.errors import BrokenLog, NotAnEntry
from chained_logging.event.entry import AuditEntry
from chained_logging.event.legible import is_legible, require_legible
from chained_logging.review.query import Engine, Misfit


class Entry(NamedTuple):
    """An entry as detectors read it.

    :ivar fields: its body as parsed JSON, which nobody changes.
    """

    seq: int
    fields: dict[str, Any]
    body: bytes
    hash: str


def entries(log: Engine, after: int, upto: int) -> Iterator[Entry]:
    """Yield the entries with ``after < seq <= upto``. Their hashes are not computed.

    :raises BrokenLog: if entries change while they are read, or are not in order.
    :raises ValueError: at an entry that was not written by a log.
    """
    if after >= upto:
        return
    for body, hash in _stored(log, after):
        entry = parsed(body, hash)
        if entry.seq > upto:
            return
        if entry.seq <= after:
            raise BrokenLog(f"{log.store.name}: entry {entry.seq} comes after entry {after}")
        yield entry
        after = entry.seq


def _stored(log: Engine, after: int) -> Iterator[tuple[bytes, str]]:
    try:
        yield from _begun(log, after)
    except Misfit as misfit:
        raise BrokenLog(f"{log.store.name} changes while it is read: {misfit}") from None


def _begun(log: Engine, after: int) -> Iterator[tuple[bytes, str]]:
    """Return what a log holds after an entry. An index that does not fit is made again, once."""
    try:
        found = log.store.stream(after)
        first = next(found, None)
    except Misfit:
        log.store.rebuild()
        found = log.store.stream(after)
        first = next(found, None)
    if first is not None:
        yield first
        yield from found


def parsed(body: bytes, hash: str) -> Entry:
    """Return an entry as detectors read it.

    :raises ValueError: if it was not written by a log.
    """
    try:
        fields = orjson.loads(body)
        seq = fields["seq"]
        if type(seq) is int and is_legible(fields):
            return Entry(seq, fields, body, hash)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    require_legible(AuditEntry(body, hash))
    raise NotAnEntry("an entry was not written by a log")
