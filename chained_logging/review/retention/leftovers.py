"""What else is left of removed entries beside a log: indexes, and pieces that crashes left.

An index is derived, so it is thrown away, and made again when the log is asked. A piece is what a
writer had not finished when it was killed, or lines that a power failure damaged: no policy can
tell what is in it, so it goes when the longest period is over, counted from the crash.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from chained_logging.files.durable import sync_directory
from chained_logging.review.index_files import cached_path
from chained_logging.review.retention.policies import Policy

_SIDES: Final = ("", "-journal", "-wal", "-shm")
_PIECE: Final = re.compile(r"\.torn-(?:[0-9]+-)?([0-9]{18,20})")


def remove_indexes(log: Path) -> list[Path]:
    """Remove the indexes that were derived from a log, and return those that there were.

    :raises OSError: if one cannot be removed.
    """
    cached = cached_path(os.path.realpath(log))
    indexes = [log.with_name(f"{log.name}.index"), *([cached] if cached else [])]
    found = []
    for index in indexes:
        drafts = index.parent.glob(f"{_escaped(index.name)}.*.new")
        for path in (*(index.with_name(index.name + side) for side in _SIDES), *drafts):
            if path.exists():
                path.unlink()
                found.append(path)
        if index.parent.exists():
            sync_directory(index)
    return found


def pieces_of(log: Path) -> Iterator[tuple[Path, dt.datetime]]:
    """Yield the pieces beside a log, each with the time of the crash."""
    for path in sorted(log.parent.glob(f"{_escaped(log.name)}*.torn-*")):
        found = _PIECE.search(path.name)
        if found is not None and not path.is_symlink():
            yield path, dt.datetime.fromtimestamp(int(found[1]) / 1e9, dt.UTC)


def old_pieces(log: Path, policies: Sequence[Policy], now: dt.datetime) -> list[Path]:
    """Return the pieces that may go. Without a policy for every entry, none may."""
    if all(policy.selector() for policy in policies):
        return []
    end = now - dt.timedelta(days=max(policy.days for policy in policies))
    return [path for path, at in pieces_of(log) if at < end]


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
