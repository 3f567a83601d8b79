"""The names of files in an archive: those of segments, compressed."""

from __future__ import annotations

import re
from pathlib import Path


def archived_name(segment: Path) -> str:
    """Return the name of a segment in an archive."""
    return f"{segment.name}.gz"


def is_of(name: str, log: Path) -> bool:
    """Whether a file in an archive has the name of a segment of a log."""
    form = re.escape(log.stem) + r"\.[0-9]{20}" + re.escape(log.suffix) + r"\.gz"
    return re.fullmatch(form, name, re.ASCII) is not None
