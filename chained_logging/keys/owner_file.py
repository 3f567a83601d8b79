"""Files for their owner alone: how a key's file is read, written and destroyed."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from pathlib import Path
from typing import Final

from chained_logging.errors import ForeignFile, Unsupported
from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.own import new_file

StrPath = str | os.PathLike[str]

MAX_FILE: Final = 65_536
"""The largest file in bytes that is read as a key or a passphrase."""


def read_private(path: Path) -> bytes:
    """Return what a file holds that is for its owner alone."""
    _require_modes()
    # O_NONBLOCK: a FIFO would wait for a writer before it could be refused.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        data = _read(fd, path)
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
    if mode & 0o077:
        raise ForeignFile(
            f"{path} has mode {mode:04o} and is not for its owner alone: "
            f"chmod 600 {shlex.quote(str(path))}"
        )
    if len(data) > MAX_FILE:
        raise ForeignFile(f"{path} has more than {MAX_FILE} bytes: no key or passphrase does")
    return data


def _read(fd: int, path: Path) -> bytes:
    """Return what a regular file holds, but no more than one byte above the limit."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise ForeignFile(f"{path} is not a regular file")
    with open(fd, "rb", closefd=False) as file:
        return file.read(MAX_FILE + 1)


def write_private(path: Path, data: bytes) -> None:
    """Write a new file for its owner alone, or none."""
    _require_modes()
    try:
        file = new_file(path)
    except FileExistsError:
        raise FileExistsError(f"{path} exists already, and a key is never overwritten") from None
    try:
        with file:
            os.fchmod(file.fileno(), 0o600)  # a umask may have taken the owner's permissions too
            file.write(data)
            file.flush()
            sync_file(file.fileno())
        sync_directory(path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _require_modes() -> None:
    if os.name != "posix":
        raise Unsupported(
            "private keys are not kept in files on this system: it has no file modes, so nothing "
            "would keep them from others"
        )


def destroy(path: StrPath) -> None:
    """Overwrite a private key's file with zeros, as far as that goes, and remove it.

    Afterwards no file of that name is there, and that is on the disk. **That the key itself is gone
    cannot be promised.** Overwriting reaches the old bytes only where a file system writes in
    place, as ext4 and XFS do on a magnetic disk. A file system that copies on write (Btrfs, ZFS,
    APFS, overlayfs in a container) and a flash drive (any SSD) put the zeros elsewhere and keep the
    old block until they have a use for it; snapshots, backups and journals keep what they have, and
    a process that has loaded the key has it in memory. To be certain, keep the key encrypted, on an
    encrypted disk or in memory (tmpfs), or in an HSM or KMS that can destroy it.

    May be called again after it was interrupted.

    :param path: the file. Its other hard links, if there are any, are overwritten and stay.
    :raises OSError: if it is not there or cannot be removed.
    :raises ForeignFile: if it is a link, a directory or a device.
    :raises ValueError: if the file is not a private key, so that no other file is destroyed.
    """
    path = Path(path)
    _require_modes()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        if path.is_symlink():
            raise ForeignFile(
                f"{path} is a link: name the file itself, so that it is clear what is destroyed"
            ) from None
        raise
    try:
        data = _read(fd, path)
        # All zeros: it was interrupted after the overwriting.
        if len(data) > MAX_FILE or (b"PRIVATE KEY-----" not in data and data.strip(b"\0")):
            raise ValueError(f"{path} is not a private key, and was left as it is")
        # The name goes even where the content cannot be written.
        with contextlib.suppress(OSError):
            _overwrite(fd, path, len(data))
    finally:
        os.close(fd)
    os.unlink(path)
    sync_directory(path)


def _overwrite(opened: int, path: Path, size: int) -> None:
    os.fchmod(opened, 0o600)  # a key of mode 0400 is usual
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if os.path.samestat(os.fstat(fd), os.fstat(opened)):
            os.pwrite(fd, bytes(size), 0)
            sync_file(fd)
    finally:
        os.close(fd)
