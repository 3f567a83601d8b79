"""How a central store differs from a local log, and what is wrong with the store itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from chained_logging.errors import ShipError
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import position
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.keys.keyring import Keyring
from chained_logging.ship.destination import (
    Destination,
    RememberingDestination,
    SharedDestination,
    pin,
    stored,
)
from chained_logging.ship.fault import MAX_FAULTS, Fault
from chained_logging.ship.progress import read_progress
from chained_logging.sinks import open_sink

_MOVED: Final = (
    b'{"action":"archive.move","actor_id":"chained_logging","actor_type":"system","context":{'
)


def differences(
    log: Path, destination: Destination, origin: str | None = None
) -> tuple[list[Fault], int]:
    """Compare a log with what a store holds of it, entry by entry.

    :param origin: the log's name; None takes it from the log's first entry.
    :returns: the first 10,000 differences, and how many entries the store is behind. Being behind
        is not a difference: the shipper may be about to catch up.
    :raises ValueError: if the log has no entry, or its first one names no origin.
    """
    sink = open_sink(log)
    first = next(sink.records(), None)
    if first is None:
        raise ValueError(f"{log} has no entry to compare")
    name = origin or _origin_in(log, first)
    progress = read_progress(log, destination.name)
    if isinstance(destination, RememberingDestination):
        destination.remember(name, progress.memory)
    named = Keyring(name)
    named.look(first)
    for key in named.known:
        pin(destination, key.public_key)
    theirs = stored(destination, name)
    moved = has_moved_front(sink.stored())
    found, behind = compare(sink.stored(), theirs, destination.name, progress.seq, moved=moved)
    return found + destination.inspect(name), behind


def compare(
    ours: Iterator[Record | Stub],
    theirs: Iterator[Record | Stub],
    name: str,
    reached: int = -1,
    *,
    moved: bool = False,
) -> tuple[list[Fault], int]:
    """Compare two logs that should be one. Neither is verified.

    An entry that was removed from one of them is the same where its hash is.

    :param theirs: what a store holds, in order.
    :param reached: the last entry that it held before, as the shipper recorded.
    :param moved: whether the log's front is in an archive, so that only the store has it.
    :returns: how they differ, and how many entries theirs is behind.
    """
    faults: list[Fault] = []

    def fault(kind: str, seq: int, reason: str) -> None:
        if len(faults) < MAX_FAULTS:
            faults.append(Fault(kind, name, seq, None, reason))

    behind: list[int] = []  # the first and the last of those that are not there, up to here
    last = -1
    a, before = next(ours, None), None
    b = next(theirs, None)
    while moved and a is not None and b is not None and b.seq < a.seq:
        before, b = b, next(theirs, None)
    if before is not None:
        last = before.seq
        if not _follows(a, before):
            fault("edited", last, f"the log's first entry does not follow entry {last} there")
    while a is not None or b is not None:
        if a is not None and (b is None or a.seq < b.seq):
            behind = [behind[0] if behind else a.seq, a.seq]
            a = next(ours, None)
            continue
        assert b is not None  # noqa: S101 -- for the type checker
        if behind:
            what = (
                f"entry {behind[0]} is"
                if behind[0] == behind[1]
                else (f"entries {behind[0]} to {behind[1]} are")
            )
            fault("missing", behind[0], f"{what} not there")
            behind = []
        if a is None or b.seq < a.seq:
            fault("missing", b.seq, f"entry {b.seq} is there, and not in the log")
        else:
            if not _same(a, b):
                fault("edited", a.seq, f"entry {a.seq} is another one there")
            a = next(ours, None)
        last, b = b.seq, next(theirs, None)
    if last < reached:
        fault("missing", last + 1, f"entries {last + 1} to {reached} were there, and are gone")
    return faults, behind[1] - behind[0] + 1 if behind else 0


def has_moved_front(items: Iterable[Record | Stub]) -> bool:
    """Whether a log says that what came before its first entry was moved to an archive."""
    first = None
    for item in items:
        first = item.seq if first is None else first
        if first == 0:
            return False
        if isinstance(item, Record) and item.body.startswith(_MOVED):
            said = AuditEntry(item.body, item.hash).context
            if isinstance(said, dict) and said.get("last_seq") == first - 1:
                return True
    return False


def _follows(first: Record | Stub | None, before: Record | Stub) -> bool:
    """Whether the log's first entry names the one before it. A stub names none."""
    if not isinstance(first, Record):
        return True
    try:
        return position(first.body) == (before.seq + 1, before.hash)
    except ValueError:
        return False


def _same(ours: Record | Stub, theirs: Record | Stub) -> bool:
    if isinstance(ours, Stub) or isinstance(theirs, Stub):
        return (ours.hash, ours.signature) == (theirs.hash, theirs.signature)
    return ours == theirs


def _origin_in(log: Path, first: Record) -> str:
    context = AuditEntry(first.body, first.hash).context
    if not isinstance(context, dict) or not isinstance(context.get("origin"), str):
        raise ValueError(f"the first entry of {log} names no origin: give it with --origin")
    return str(context["origin"])


def inspector(destination: Destination) -> Callable[[str], list[Fault]]:
    """Return a function that inspects one log after another, and what they share only once."""
    if not isinstance(destination, SharedDestination):
        return destination.inspect
    shared = destination.inspect_store()
    return lambda origin: shared + destination.inspect_log(origin)


def origins(destination: Destination, origin: str | None = None) -> list[str]:
    """Return the logs that a store holds.

    :param origin: only this one; None for all.
    :raises ShipError: if there are none.
    """
    found = destination.origins()
    if origin is not None:
        found = [name for name in found if name == origin]
    if not found:
        what = f"the log {origin!r}" if origin else "any log"
        raise ShipError(f"{destination.name} does not hold {what}")
    return found
