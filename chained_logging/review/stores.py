"""Central stores, handed to the verifier."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from chained_logging.format.line import stored_line
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub, stub_line
from chained_logging.keys import load_public
from chained_logging.review.archive.fetched import read_also
from chained_logging.ship import ArchivedDestination, Destination, open_destination, pin, stored
from chained_logging.ship.check import differences, inspector, origins
from chained_logging.ship.fault import Fault
from chained_logging.verify import Fault as VerifierFault
from chained_logging.verify import Stores, Stream


class CentralStores(Stores):
    """Reads the destinations of this package.

    :param archive: where entries were moved to: a folder, or ``s3://bucket/prefix``.
    """

    def __init__(self, archive: str | None = None) -> None:
        self._archive = archive

    def streams(
        self, url: str, origin: str | None, public_key: str | None = None
    ) -> Iterator[tuple[Stream, Iterable[VerifierFault]]]:
        """Yield each log that a store holds, and what is wrong with the store.

        :param public_key: see :class:`chained_logging.verify.Stores`; or the key itself.
        """
        with closing(open_destination(url)) as destination:
            if public_key is not None:
                _pin(destination, public_key)
            inspect = inspector(destination)
            for name in origins(destination, origin):
                notes = (
                    (one.note.encode(), one.timestamp) for one in destination.checkpoints(name)
                )
                lines = (_line(one) for one in stored(destination, name))
                moved = _moved(destination, name) if self._archive is None else []
                stream = Stream(f"{destination.name} {name}", lines, notes, moved)
                with read_also(destination, name, self._archive):
                    yield stream, _for_the_verifier(inspect(name))

    def differences(
        self, log: str, url: str, origin: str | None
    ) -> tuple[list[VerifierFault], int, str]:
        """Compare a log with a store, entry by entry: see
        :func:`chained_logging.ship.check.differences`.

        :returns: the differences, how many entries the store is behind, and its name.
        """
        with closing(open_destination(url)) as destination:
            found, behind = differences(Path(log), destination, origin)
            return _for_the_verifier(found), behind, destination.name


def _moved(destination: Destination, origin: str) -> list[tuple[int, int, str]]:
    """Return what a store says was moved to an archive, without overlaps."""
    found: list[tuple[int, int, str]] = []
    for one in destination.archived(origin) if isinstance(destination, ArchivedDestination) else ():
        first = max(one.first, found[-1][1] + 1) if found else one.first
        if first <= one.last:
            found.append((first, one.last, one.archive))
    return found


def _line(one: Record | Stub) -> bytes:
    if isinstance(one, Stub):
        return stub_line(one)
    return stored_line(one.body, one.hash, one.signature)


def _pin(destination: Destination, public_key: str) -> None:
    """Have a destination prefer the log with a key, which is given as text or as a file."""
    if os.path.exists(public_key) and not os.path.isfile(public_key):
        return  # a pipe is read only once, and that is for the verifier
    with suppress(FileNotFoundError):  # the verifier says that it is not there
        pin(destination, load_public(public_key).raw)


def _for_the_verifier(faults: Iterable[Fault]) -> list[VerifierFault]:
    return [VerifierFault(one.kind, one.where, None, *one[2:]) for one in faults]
