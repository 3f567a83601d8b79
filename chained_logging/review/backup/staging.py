"""Files of a backup that are being made: in a folder beside it, until all of them are verified.

So a backup that was killed leaves the one before as it was, and the next call goes on with what is
complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from chained_logging.errors import Busy, ForeignFile
from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.lock import FileLock
from chained_logging.files.own import open_own, require_own

SUFFIX: Final = ".part"
_LOCK: Final = "lock"
_BLOCK: Final = 1 << 20


class Staging:
    """The folder in which the files of one log's backup are made. Use it as a context manager.

    :param folder: of the backup.
    :param name: the log's file name.
    :raises ForeignFile: if another user made something of that name.
    :raises Busy: if another backup of that log is running there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.path = folder / f".{name}{SUFFIX}"
        self.path.mkdir(mode=0o700, exist_ok=True)
        if self.path.is_symlink() or self.path.stat().st_uid != os.geteuid():
            raise ForeignFile(f"{self.path} is not a folder of this user: move it away")
        self._lock = FileLock(self.path / _LOCK)
        if not self._lock.try_acquire():
            self._lock.close()
            raise Busy(f"{self.path} is in use: another backup to {folder} is running")

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path)
        self._lock.release()
        self._lock.close()

    def file(self, name: str) -> Path:
        """Return the path of a file that is being made."""
        return self.path / name

    def files(self) -> list[str]:
        """Return the names of what was made."""
        return sorted(path.name for path in self.path.iterdir() if path.name != _LOCK)

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove what an earlier call left, and this one does not need."""
        for name in set(self.files()) - set(names):
            self.file(name).unlink()

    def write(self, name: str, blocks: Iterable[bytes]) -> str:
        """Make a file, on the disk, and return its SHA-256.

        :raises OSError: if the disk does not take it.
        """
        digest = hashlib.sha256()
        with open(open_own(self.file(name), os.O_WRONLY | os.O_CREAT), "wb") as file:
            file.truncate(0)
            for block in blocks:
                digest.update(block)
                file.write(block)
            file.flush()
            sync_file(file.fileno())
        return digest.hexdigest()

    def sync(self, name: str) -> None:
        """Bring a file onto the disk that something else wrote."""
        fd = os.open(self.file(name), os.O_RDWR | os.O_CLOEXEC)
        try:
            sync_file(fd)
        finally:
            os.close(fd)

    def publish(self, names: Iterable[str]) -> None:
        """Move files into the backup, each in place of the one before, in this order.

        :raises ForeignFile: if a file of that name in the backup is not this user's.
        """
        for name in names:
            require_own(self.folder / name)
            os.rename(self.file(name), self.folder / name)
            sync_directory(self.folder / name)


def blocks_of(file: BinaryIO, size: int | None = None) -> Iterator[bytes]:
    """Yield a file's bytes.

    :param size: how many at most.
    """
    left = size
    while block := file.read(_BLOCK if left is None else min(_BLOCK, left)):
        left = None if left is None else left - len(block)
        yield block


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it does not exist."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
