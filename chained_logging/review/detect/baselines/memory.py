"""What the baselines remember of a log, in a file beside its index.

The file is derived: where it does not fit the chain, or the version, it is not used, and all is
read again. It holds two places of the log. A program that died between what it found and what it
did about it asks for the earlier place again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from chained_logging.errors import ChainedLoggingError
from chained_logging.files.durable import replace_file
from chained_logging.files.own import require_own
from chained_logging.review.detect.reading import entries
from chained_logging.review.index_files import cached_path, index_path
from chained_logging.review.query import Engine

VERSION: Final = 1
"""Of what is remembered. It grows with each change of a baseline's state."""


class Remembered(NamedTuple):
    """What is remembered at a place of a log.

    :ivar seq: the last entry that was seen; -1 for none.
    :ivar hash: of that entry.
    :ivar states: of the baselines, by their names.
    """

    seq: int
    hash: str
    states: dict[str, dict[str, Any]]


class Memory:
    """What is remembered of one log.

    :param log: the log.
    :param calendar: what tells the local time from another one; None keeps nothing.
    """

    def __init__(self, log: Engine, calendar: str | None) -> None:
        self._log = log
        self._calendar = calendar
        self._path = None if calendar is None else _path(log.store.name)

    def recall(self, after: int) -> Remembered:
        """Return what is remembered at a place that is not after another; nothing without one."""
        for line in self._lines():
            found = self._read(line)
            if found is not None and self.fits(found, after):
                return found
        return Remembered(-1, "", {})

    def keep(self, now: Remembered) -> None:
        """Keep what is remembered now, and what was before. Where that fails, nothing is lost."""
        if self._path is None:
            return
        made = {"version": VERSION, "calendar": self._calendar, **now._asdict()}
        before = next(self._lines(), b"")
        with contextlib.suppress(OSError, ChainedLoggingError):
            replace_file(self._path, orjson.dumps(made) + b"\n" + before)

    def _lines(self) -> Iterator[bytes]:
        """Yield the places, the latest first."""
        if self._path is None:
            return
        try:
            if require_own(self._path):
                yield from self._path.read_bytes().split(b"\n")
        except (OSError, ChainedLoggingError):
            return

    def _read(self, line: bytes) -> Remembered | None:
        try:
            given = orjson.loads(line)
            about = given.pop("version"), given.pop("calendar")
            found = Remembered(**given)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None
        return found if about == (VERSION, self._calendar) else None

    def fits(self, found: Remembered, after: int) -> bool:
        """Whether a place is not after another one, and the log still has the entry there."""
        if found.seq > after:
            return False
        there = next(entries(self._log, found.seq - 1, found.seq), None)
        return there is not None and there.hash == found.hash


def _path(name: str) -> Path | None:
    """Return the file of a log; None if there can be none."""
    path = Path(name)
    index = index_path(path) if path.exists() else cached_path(name)
    if index is None or not os.access(index.parent, os.W_OK):
        return None
    return index.with_name(index.name.removesuffix(".index") + ".baselines")
