"""What a log says was moved to an archive."""

from __future__ import annotations

from typing import Final, NamedTuple

from chained_logging.review.filter import ANY
from chained_logging.review.overview import own_entries
from chained_logging.review.query import Engine

ACTION: Final = "archive.move"


class LastMoved(NamedTuple):
    """The segment that was moved last: it, and all before it, are in an archive."""

    archive: str
    last_seq: int


def last_moved(engine: Engine) -> LastMoved | None:
    """Return up to which entry a log was moved to an archive; None if nothing was moved."""
    for entry in engine.entries(own_entries(ANY, ACTION), limit=1).entries:
        said = entry.context if isinstance(entry.context, dict) else {}
        last = said.get("last_seq")
        if isinstance(last, int):
            return LastMoved(str(said.get("archive")), last)
    return None
