"""The spill file: where events wait that the log could not take, until it can.

``<log>.spill`` holds one body a line, as it would be at ``seq`` 0. Whoever holds the log's lock may
write it. Before its events are chained, the next ``seq`` is noted in it, so that a
crash between chaining them and removing the file repeats none: those whose ``id``
is in the log from there on are there already.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging import chain
from chained_logging.entry import Draft
from chained_logging.sinks import sync_directory, sync_file


class Spilled(NamedTuple):
    """What a spill file holds."""

    drafts: list[Draft]
    start: int | None
    """From which ``seq`` on some of them may be in the log."""
    unreadable: list[bytes]


class Spill:
    """See the module."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def exists(self) -> bool:
        """Whether events wait here."""
        return self.path.exists()

    def add(self, drafts: Sequence[Draft]) -> None:
        """Keep events, on the disk.

        :raises OSError: if that fails; a part may have been written, and is not counted.
        """
        self._append([draft.body(0, chain.GENESIS) for draft in drafts])

    def mark(self, seq: int) -> None:
        """Note from where on the events will be chained."""
        self._append([b"%d" % seq])

    def read(self) -> Spilled:
        """Return what waits.

        :raises OSError: if the file cannot be read.
        """
        found = Spilled([], None, [])
        start = None
        with open(self.path, "rb") as file:
            for line in file:
                item = _parse(line)
                if item is None:
                    if line.strip():
                        found.unreadable.append(line)
                elif isinstance(item, Draft):
                    found.drafts.append(item)
                else:  # the lowest: a power failure may take the log back to before a mark
                    start = item if start is None else min(start, item)
        return found._replace(start=start)

    def set_aside(self, lines: Sequence[bytes]) -> str:
        """Keep lines that are no events in a file of their own, and return its name."""
        aside = self.path.with_name(f"{self.path.name}.torn-{time.time_ns()}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(fd)
        return aside.name

    def remove(self) -> None:
        """Remove the file: all of it is in the log."""
        self.path.unlink(missing_ok=True)
        sync_directory(self.path)

    def _append(self, lines: Sequence[bytes]) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.path, flags, 0o600)
        try:
            size = os.fstat(fd).st_size
            # A line feed first: a torn line before it spoils no other.
            data = b"".join(b"\n%b\n" % line for line in lines)
            try:
                while data:
                    data = data[os.write(fd, data) :]
                sync_file(fd)
            except OSError:
                os.ftruncate(fd, size)
                raise
            if size == 0:
                sync_directory(self.path)
        finally:
            os.close(fd)


def _parse(line: bytes) -> Draft | int | None:
    """Return an event, a mark, or None for what is neither: the file may have been edited."""
    text = line.strip()
    try:
        return int(text) if text.isdigit() and len(text) < 20 else Draft.from_body(text)
    except ValueError:
        return None
