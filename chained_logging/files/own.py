"""Files that a log makes, and those that it does not take for its own.

A log is written by one user. A file that another user owns or can write to, a link, or a file with
a second name is nobody's to append to, to overwrite or to believe: it is left as it is, and said.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from chained_logging.errors import ForeignFile

open_file = open
"""The builtin, also where a finaliser logs at the interpreter's exit, when its name is gone."""

SIDE_FILES = (
    ".lock",
    ".writers",
    ".checkpoints",
    ".spill",
    ".manifest",
    "-wal",
    "-shm",
    "-journal",
)
"""The files that may be beside a log: what is added to its name."""


def why_foreign(found: os.stat_result) -> str | None:
    """Return why a file cannot be the log's own; None if it can."""
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_nlink > 1:  # under its other name it may be anybody's
        return "has more than one name (hard links)"
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to the user {found.st_uid}, and this process runs as {os.geteuid()}"
    if found.st_mode & 0o022:
        return f"can be written to by others (mode {stat.S_IMODE(found.st_mode):04o}): chmod go-w"
    return None


def require_own(path: Path) -> bool:
    """Return whether a file exists.

    :raises ForeignFile: if it exists and is not the log's own.
    """
    try:
        reason = why_foreign(os.lstat(path))
    except FileNotFoundError:
        return False
    if reason is not None:
        raise ForeignFile(f"{path} {reason}, so it is not used")
    return True


def open_own(path: Path, flags: int) -> int:
    """Open one of the log's own files, or create it with mode 0600; never through a link.

    :param flags: as for :func:`os.open`, without ``O_TRUNC``: its owner is checked before anything
        is changed.
    :raises ForeignFile: if it is not the log's own.
    """
    there = require_own(path)  # opening a pipe or a device may block; a link gets a clear error
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    reason = why_foreign(os.fstat(fd))
    if reason is not None:
        os.close(fd)
        raise ForeignFile(f"{path} {reason}, so it is not used")
    if not there:
        os.fchmod(fd, 0o600)  # a umask may have taken the owner's permissions as well
    return fd


def new_file(path: Path) -> BinaryIO:
    """Create a file that only its owner can read, and open it for reading and writing.

    :raises FileExistsError: if something is there, even a dangling link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    for name in ("O_NOFOLLOW", "O_CLOEXEC"):  # Windows has neither
        flags |= getattr(os, name, 0)
    try:
        return open_file(os.open(path, flags, 0o600), "w+b")
    except FileExistsError:
        raise FileExistsError(f"{path} exists already: choose another name") from None


def write_new(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. A failure leaves nothing behind.

    :raises FileExistsError: if something is there.
    """
    file = new_file(path)
    try:
        with file:
            file.write(data)
    except BaseException:
        path.unlink()
        raise


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading, no matter who made it, without waiting for a pipe or a device.

    :raises OSError: if it cannot be opened.
    :raises ForeignFile: if it is not a regular file.
    """
    file = open_file(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ForeignFile(f"{path} is not a regular file, so it is not used")
    return file


def refuse_what_is_there(target: Path) -> None:
    """Check that neither a log at this path nor any file beside it exists.

    :raises FileExistsError: if one does, even a dangling link.
    """
    for name in ("", *SIDE_FILES):
        path = target.with_name(target.name + name)
        if os.path.lexists(path):
            raise FileExistsError(f"{path} is there already")
