"""Files on their way into a folder that is read meanwhile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.format.merkle import ProofError
from chained_logging.transparency.tiles.reader import read_file

_BATCH: Final = 128  # files that are synced together: one commit of the file system serves many


class Staging:
    """Files on their way into the folder.

    They are written aside, brought onto the disk together, and then get their names, so that a
    name never has half a file. A name whose content is right is left as it is.
    """

    def __init__(self, folder: Path, vouched: int) -> None:
        """:param vouched: the size of the published checkpoint."""
        self._folder = folder
        self._vouched = vouched
        self._aside = folder / ".new"
        self._waiting: list[Path] = []
        self._named: set[Path] = set()
        self._overtaken: list[Path] = []
        self.written = 0
        # What a run left that was killed.
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(mode=0o700)

    def add(self, path: str, data: bytes, end: int | None = None) -> None:
        """Take a file.

        :param end: the number of entries at which the tile ends. Up to the published checkpoint
            tiles are immutable. Beyond it there may be those of a run that was stopped, or whose
            entries turned out to be wrong: nobody was told of them.
        """
        target = self._folder / path
        # Also where the content is there: who wrote it may have been killed before the names
        # were on the disk.
        self._named.add(target)
        partials = Path(f"{target}.p")
        if end is not None and partials.is_dir():
            self._overtaken.append(partials)
        try:
            present = read_file(target, len(data))
        except FileNotFoundError:
            pass
        else:
            if present == data:
                return
            if end is not None and end <= self._vouched:
                raise ProofError(
                    f"{path} is there with other content, though the published checkpoint covers "
                    "it: either it was changed, or the entries were"
                )
        aside = self._aside / str(len(self._waiting))
        fd = os.open(
            aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with open(fd, "wb") as file:
            file.write(data)
        self._waiting.append(target)
        if len(self._waiting) >= _BATCH:
            self.move()

    def move(self) -> None:
        """Give the files their names, and bring both onto the disk."""
        # All were written before the first is synced, so that the disk has had a start.
        for number in range(len(self._waiting)):
            fd = os.open(self._aside / str(number), os.O_RDWR | os.O_CLOEXEC)
            try:
                sync_file(fd)
            finally:
                os.close(fd)
        for number, target in enumerate(self._waiting):
            if not target.parent.is_dir():
                # Each with this mode; makedirs() gives it to the last only.
                for parent in reversed(target.relative_to(self._folder).parents[:-1]):
                    (self._folder / parent).mkdir(mode=0o700, exist_ok=True)
            os.rename(self._aside / str(number), target)
        names = {
            name
            for target in self._named
            for name in (target, *target.parents)
            if name.is_relative_to(self._folder) and name != self._folder
        }
        for directory in {name.parent for name in names}:
            sync_directory(directory / "_")
        self.written += len(self._waiting)
        self._waiting.clear()
        self._named.clear()

    def remove_overtaken(self) -> None:
        """Remove the partial tiles of those that became full (C2SP ``tlog-tiles`` allows it)."""
        for partials in self._overtaken:
            shutil.rmtree(partials, ignore_errors=True)

    def close(self) -> None:
        """Remove what got no name."""
        shutil.rmtree(self._aside, ignore_errors=True)
