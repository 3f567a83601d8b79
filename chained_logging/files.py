"""Files that a log makes, and those that it does not take for its own.

A log is written by one user. A file that another user owns or can write to, a link, or a file with
a second name is nobody's to append to, to overwrite or to believe: it is left as it is, and said.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

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
"""What may stand beside a log, by what is added to its name."""


class ForeignFile(OSError):
    """A file is not one that the log made, or others can write to it."""


def why_foreign(found: os.stat_result) -> str | None:
    """Return why a file is not taken for the log's own; None if it is."""
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
    """Return whether a file is there.

    :raises ForeignFile: if it is, and is not the log's own.
    """
    try:
        reason = why_foreign(os.lstat(path))
    except FileNotFoundError:
        return False
    if reason is not None:
        raise ForeignFile(f"{path} {reason}, so it is not used")
    return True


def open_own(path: Path, flags: int) -> int:
    """Open a file of the log's, or make it with mode 0600; never through a link.

    :param flags: as for :func:`os.open`, without ``O_TRUNC``: nothing is changed before it is
        known whose it is.
    :raises ForeignFile: if it is not the log's own.
    """
    there = require_own(path)  # a pipe or a device would be opened for good, a link named badly
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    reason = why_foreign(os.fstat(fd))
    if reason is not None:
        os.close(fd)
        raise ForeignFile(f"{path} {reason}, so it is not used")
    if not there:
        os.fchmod(fd, 0o600)  # a umask may have taken the owner's permissions as well
    return fd


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read it, whoever made it; a pipe or a device is not waited for.

    :raises OSError: if it cannot be opened, or is not a regular file.
    """
    file = open_file(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ForeignFile(f"{path} is not a regular file, so it is not used")
    return file


def refuse_what_is_there(target: Path) -> None:
    """Make sure that neither a new log nor a file beside it stands at a path already.

    :raises FileExistsError: if one does, be it a link that leads nowhere.
    """
    for name in ("", *SIDE_FILES):
        path = target.with_name(target.name + name)
        if os.path.lexists(path):
            raise FileExistsError(f"{path} is there already")
