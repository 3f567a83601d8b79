"""What central storage holds, handed to the verifier; and how it differs from a local log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from chained_logging import chain
from chained_logging.entry import AuditEntry
from chained_logging.keyring import Keyring
from chained_logging.keys import load_public
from chained_logging.ship import Destination, SharedDestination, open_destination, pin
from chained_logging.ship.place import read_place
from chained_logging.sinks import Record, open_sink
from chained_logging.verify import MAX_FAULTS, Fault, Stores, Stream


class CentralStores(Stores):
    """Reads the destinations of this package."""

    def streams(
        self, url: str, origin: str | None, public_key: str | None = None
    ) -> Iterator[tuple[Stream, Iterable[Fault]]]:
        """Yield each log that a store holds, and what is wrong with the store.

        :param public_key: see :class:`chained_logging.verify.Stores`.
        """
        destination = open_destination(url)
        try:
            if public_key is not None and Path(public_key).is_file():  # a pipe is read only once
                pin(destination, load_public(Path(public_key)).raw)
            inspect = _inspector(destination)
            for name in _origins(destination, origin):
                records = destination.records(name)
                notes = (
                    (one.note.encode(), one.timestamp) for one in destination.checkpoints(name)
                )
                lines = (chain.stored_line(r.body, r.hash, r.signature) for r in records)
                yield Stream(f"{destination.name} {name}", lines, notes), inspect(name)
        finally:
            destination.close()

    def differences(self, log: str, url: str, origin: str | None) -> tuple[list[Fault], int, str]:
        """Compare a log with a store, entry by entry.

        :returns: the first 10,000 differences, how many entries the store is behind, and its name.
            Being behind is not a difference: the shipper may be about to catch up.
        """
        sink = open_sink(Path(log))
        first = next(sink.records(), None)
        if first is None:
            raise ValueError(f"{log} has no entry to compare")
        name = origin or _origin_in(log, first)
        destination = open_destination(url)
        try:
            place = read_place(Path(log), destination.name)
            remember = getattr(destination, "remember", None)
            if remember is not None:
                remember(name, place.memory)
            named = Keyring(name)
            named.look(first)
            for key in named.known:
                pin(destination, key.public_key)
            theirs = destination.records(name)
            found, behind = compare(sink.records(), theirs, destination.name, place.seq)
            return found + destination.inspect(name), behind, destination.name
        finally:
            destination.close()


def compare(
    ours: Iterator[Record], theirs: Iterator[Record], name: str, reached: int = -1
) -> tuple[list[Fault], int]:
    """Compare two logs that should be one. Neither is verified.

    :param theirs: what a store holds, in order.
    :param reached: the last entry that it held before, as the shipper recorded.
    :returns: how they differ, and how many entries theirs is behind.
    """
    faults: list[Fault] = []

    def fault(kind: str, seq: int, reason: str) -> None:
        if len(faults) < MAX_FAULTS:
            faults.append(Fault(kind, name, None, seq, None, reason))

    behind: list[int] = []  # the first and the last of those that are not there, up to here
    last = -1
    a, b = next(ours, None), next(theirs, None)
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
            if a != b:
                fault("edited", a.seq, f"entry {a.seq} is another one there")
            a = next(ours, None)
        last, b = b.seq, next(theirs, None)
    if last < reached:
        fault("missing", last + 1, f"entries {last + 1} to {reached} were there, and are gone")
    return faults, behind[1] - behind[0] + 1 if behind else 0


def _origin_in(log: str, first: Record) -> str:
    context = AuditEntry(first.body, first.hash).context
    if not isinstance(context, dict) or not isinstance(context.get("origin"), str):
        raise ValueError(f"the first entry of {log} names no origin: give it with --origin")
    return str(context["origin"])


def _inspector(destination: Destination) -> Callable[[str], list[Fault]]:
    """Return what inspects one log after the other, and what they share only once."""
    if not isinstance(destination, SharedDestination):
        return destination.inspect
    shared = destination.inspect_store()
    return lambda origin: shared + destination.inspect_log(origin)


def _origins(destination: Destination, origin: str | None) -> list[str]:
    found = destination.origins()
    if origin is not None:
        found = [name for name in found if name == origin]
    if not found:
        what = f"the log {origin!r}" if origin else "any log"
        raise OSError(f"{destination.name} does not hold {what}")
    return found
