"""The holds of central stores that have their own: brought into line with those of a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.sources import only
from chained_logging.ship import HoldingDestination, open_destination, pin
from chained_logging.ship.destination import Brought
from chained_logging.ship.holds import Holds, holds_of
from chained_logging.ship.progress import read_all_progress


class Log(Protocol):
    """A log, open in this process."""

    @property
    def path(self) -> Path: ...
    @property
    def origin(self) -> str: ...
    def records(self) -> Iterator[Record]: ...
    def stored(self) -> Iterator[Record | Stub]: ...


def stores_of(path: Path, configured: Sequence[str]) -> list[str]:
    """Return the stores with holds of their own to which a log is, or ever was, shipped.

    :raises OSError: if a file beside the log cannot be read; also LogError.
    """
    shipped = [each.destination for each in read_all_progress(path)]
    return sorted({url for url in (*configured, *shipped) if url.lower().startswith("s3://")})


def bring_to(url: str, log: Log) -> Brought:
    """Set and lift the holds of a store as a log has them.

    :raises DestinationError: if the store cannot be asked now, or refuses.
    :raises ImportError: if its extra is not installed.
    """
    with closing(open_destination(url)) as store:
        assert isinstance(store, HoldingDestination)  # noqa: S101 -- for the type checker
        return store.bring_holds(log.origin, holds_of(log), log.stored(), lift=True)


def bring_in(url: str, origin: str | None, public_key: bytes | None) -> Brought:
    """Set the holds of a store as the log that is in it has them.

    They are lifted only with the log's key: anyone who may ship can put a log of their own there.

    :param public_key: the log's first key, 32 bytes, from elsewhere.
    :raises DestinationError: if the store cannot be asked now, or refuses.
    :raises ValueError: if the store has no holds of its own, or the log's key is another one.
    """
    with closing(open_destination(url)) as store:
        if not isinstance(store, HoldingDestination):
            raise ValueError(f"{store.name} has no holds of its own: only s3:// has")
        if public_key is not None:
            pin(store, public_key)
        name, holds = only(store, origin), Holds()
        for record in store.records(name):
            holds.look(record)
        if public_key is not None and holds.first_key != public_key:
            raise ValueError("the log's first key is not the one that was given")
        return store.bring_holds(name, holds, store.stored(name), lift=public_key is not None)
