"""Where a log was shipped to, as far as the files beside it say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

from chained_logging.errors import FAILURES
from chained_logging.event.values import timestamp_text
from chained_logging.review.opening import is_url
from chained_logging.ship.progress import Progress, read_all_progress


class Shipped(NamedTuple):
    """How far a log was delivered to a destination.

    :ivar behind: how many entries of the report it did not have yet.
    :ivar delivered: when something last reached it, where it is behind.
    :ivar problem: why delivery does not continue.
    """

    destination: str
    behind: int
    delivered: str | None = None
    problem: str | None = None


def shipped(log: str, size: int) -> tuple[list[Shipped], str | None]:
    """Return how far the first `size` entries of a log were delivered.

    :returns: each destination, and what cannot be known here.
    """
    if is_url(log):
        return [], (
            "The report was made from a central store. What the log on its own machine holds "
            "beyond it cannot be seen from here."
        )
    try:
        found = [_shipped(one, size) for one in read_all_progress(Path(log))]
    except (*FAILURES, ValueError) as problem:
        return [], f"How far the log was shipped could not be read: {problem}"
    if not found:
        return [], (
            "Nothing beside the log says that it was ever shipped. A copy of a log has no such "
            "files: ask on the machine that writes the log."
        )
    return found, (
        "The shipper keeps how far it came, not when each entry arrived: how long entries took "
        "cannot be known from here. chained-logging verify --against compares the copies."
    )


def _shipped(progress: Progress, size: int) -> Shipped:
    behind = max(0, size - 1 - progress.seq)
    if not behind:  # what came since is not a matter of this report
        return Shipped(progress.destination, 0)
    return Shipped(progress.destination, behind, _time(progress.delivered_at), progress.problem)


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return timestamp_text(dt.datetime.fromtimestamp(seconds, dt.UTC))
