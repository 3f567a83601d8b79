"""Writes that a power failure does not undo."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from chained_logging.files.own import open_own, require_own

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # asked for attributes only


def is_mount(path: Path) -> bool:
    """Whether a file is mounted by itself, as into a container: its lock would stay outside."""
    try:
        listed = Path("/proc/self/mountinfo").read_bytes()
    except OSError:  # no Linux
        return False
    # Field 5 is the mount point, with blanks as octal escapes (proc(5)).
    name = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    # A name may hold any line break but the one that the kernel escapes.
    return any(line.split(b" ", 5)[4] == name for line in listed.split(b"\n") if line)


def sync_directory(path: Path) -> None:
    """Make a new, renamed or removed name in the directory of `path` durable."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file's content, on the disk. A reader sees all of the new content, or the old.

    :raises OSError: if that fails. The old content is then left.
    :raises ForeignFile: if the file or its draft (``.new``) is not the log's own.
    """
    require_own(path)
    draft = path.with_name(f"{path.name}.new")
    with open(open_own(draft, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.truncate(0)
        file.write(data)
        file.flush()
        sync_file(file.fileno())
    os.rename(draft, path)
    sync_directory(path)


def sync_if_open(fd: int) -> None:
    """As :func:`sync_file`, for a file that its owner may sync and close meanwhile.

    :param fd: below 0 if the file is closed already.
    """
    try:
        if fd >= 0:
            sync_file(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


def sync_file(fd: int) -> None:
    """Sync a file's data to the disk itself (``F_FULLFSYNC`` on macOS, where fsync does less)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)  # with the size, without the times
