"""The names of files in an archive: those of segments, compressed."""

from __future__ import annotations

import re
from pathlib import Path


def archived_name(segment: Path) -> str:
    """Return the name of a segment in an archive."""
    return f"{segment.name}.gz"


def month_name(origin: str, first: int, last: int) -> str:
    """Return the name of a file with entries from a central store: those of a log from one number
    to another."""
    from chained_logging.ship.s3.names import encode_origin

    return f"{encode_origin(origin)}.{first:020d}-{last:020d}.jsonl.gz"


def span_of(name: str, origin: str) -> tuple[int, int] | None:
    """Return the first and the last number of a file that :func:`month_name` has named; None for
    others."""
    found = re.search(r"\.([0-9]{20})-([0-9]{20})\.jsonl\.gz", name, re.ASCII)
    span = (int(found[1]), int(found[2])) if found else (1, 0)
    return span if span[0] <= span[1] and name == month_name(origin, *span) else None


def is_of(name: str, log: Path) -> bool:
    """Whether a file in an archive has the name of a segment of a log."""
    form = re.escape(log.stem) + r"\.[0-9]{20}" + re.escape(log.suffix) + r"\.gz"
    return re.fullmatch(form, name, re.ASCII) is not None
