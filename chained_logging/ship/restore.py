"""A lost host's log, rebuilt from central storage, byte for byte."""

from __future__ import annotations

from pathlib import Path

from chained_logging.log import AuditLog
from chained_logging.review.export import write_log
from chained_logging.ship import Destination


def restore(destination: Destination, origin: str, target: Path) -> tuple[int, str]:
    """Write a log anew from what a destination holds, so that it goes on with the same chain.

    Each hash and link is checked. An entry of the log's own, ``log.restore``, then records where
    it came from. The host that was lost must stay lost: if it ships once more, two hosts continue
    one chain, and the destination takes only the first.

    :param target: must not exist; its suffix says which kind of log it becomes.
    :returns: how many entries there are, and the last hash, before that entry.
    :raises FileExistsError: if the target is there.
    :raises ValueError: if what the destination holds is broken; nothing is left then.
    :raises OSError: if it does not hold this log, or cannot be read.
    """
    records = destination.records(origin)
    count, last = write_log(target, records, destination.checkpoints(origin), destination.name)
    if not count:
        target.unlink()
        raise OSError(f"{destination.name} does not hold the log {origin!r}")
    with AuditLog(target, on_failure="raise", origin=origin, sign="follow") as log:
        log.note("log.restore", restored_from=destination.name, entries=count, last_hash=last)
    return count, last
