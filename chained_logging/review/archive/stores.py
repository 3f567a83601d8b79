"""Where an archive is: a folder, or a prefix in S3 with Object Lock."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from chained_logging.errors import Refused
from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.own import open_own, open_regular, require_own

DAY: Final = 86_400.0
_NEW: Final = ".new"


class Archive(Protocol):
    """Files by name, which are put once.

    :ivar name: its folder, or its URL without secrets.
    """

    name: str

    def put(self, name: str, data: bytes) -> None:
        """Store a file, on the disk. One that is there already is left as it is.

        :raises OSError: if the disk does not take it.
        :raises DestinationError: if the store is down.
        :raises Refused: if the store does not take it.
        """

    def get(self, name: str) -> bytes | None:
        """Return a file; None if it does not exist.

        :raises OSError: if it cannot be read; also DestinationError.
        """

    def names(self) -> list[str]:
        """Return the names of all files."""

    def close(self) -> None:
        """Close its connections."""


class FolderArchive:
    """See :class:`Archive`.

    :raises FileNotFoundError: if the folder does not exist.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not a folder: is the disk mounted?")
        self.folder = folder
        self.name = str(folder)

    def put(self, name: str, data: bytes) -> None:
        target = self.folder / name
        if require_own(target):
            return
        draft = target.with_name(name + _NEW)
        with open(open_own(draft, os.O_WRONLY | os.O_CREAT), "wb") as file:
            file.truncate(0)
            file.write(data)
            file.flush()
            sync_file(file.fileno())
        os.rename(draft, target)
        sync_directory(target)

    def get(self, name: str) -> bytes | None:
        try:
            with open_regular(self.folder / name) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def close(self) -> None:
        pass


class BucketArchive:
    """See :class:`Archive`. The prefix is one that ``init`` has prepared: each file is locked for
    as long as its policy says.

    :raises ValueError: if the URL is not of S3.
    """

    def __init__(self, url: str) -> None:
        from chained_logging.ship.s3.store import MAX_CONTENT, ObjectStore

        self._limit = MAX_CONTENT
        self._store: Any = ObjectStore(url)
        self.name = str(self._store.name)

    def put(self, name: str, data: bytes) -> None:
        from chained_logging.ship.s3.policies import policy_in_force

        if len(data) > self._limit:
            raise Refused(
                f"{self.name} takes at most {self._limit:,} bytes in one file, and {name} has "
                f"{len(data):,}: seal smaller segments (max_bytes)"
            )
        if self._oldest(name) is None:
            now = time.time()
            policy = policy_in_force(self._store, now, renew=True)
            self._store.put(self._key(name), data, policy.mode, now + policy.days * DAY)

    def get(self, name: str) -> bytes | None:
        version = self._oldest(name)
        return None if version is None else bytes(self._store.get(version).data)

    def names(self) -> list[str]:
        start = len(self._key(""))
        return sorted(key[start:] for key in self._store.grouped(self._key("")))

    def close(self) -> None:
        self._store.disconnect()

    def _oldest(self, name: str) -> Any:
        return self._store.oldest(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._store.prefix}archive/{name}"


def open_archive(where: str) -> Archive:
    """Open an archive: a folder, or ``s3://bucket/prefix``.

    :raises OSError: if the folder does not exist.
    :raises ValueError: if it is another URL.
    """
    if where.startswith("s3://"):
        return BucketArchive(where)
    if "://" in where:
        raise ValueError("an archive is a folder, or s3://bucket/prefix")
    return FolderArchive(Path(where).resolve())


@contextlib.contextmanager
def at_hand(where: str, log: Path) -> Iterator[list[Path]]:
    """Yield the files of a log in an archive, fetched to a folder of this user if need be.

    :raises OSError: if the archive cannot be read; also DestinationError.
    :raises ValueError: if it is not an archive.
    """
    from chained_logging.review.archive.names import is_of

    with contextlib.closing(open_archive(where)) as archive:
        names = [name for name in archive.names() if is_of(name, log)]
        if isinstance(archive, FolderArchive):
            yield [archive.folder / name for name in names]
            return
        with tempfile.TemporaryDirectory(prefix="chained_logging-") as folder:
            for name in names:
                Path(folder, name).write_bytes(archive.get(name) or b"")
            yield [Path(folder, name) for name in names]
