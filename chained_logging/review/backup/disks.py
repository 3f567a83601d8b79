"""Which disks a folder lies on, as far as this machine tells.

Two folders that share a disk are lost together. Linux tells which disk is below a partition, an
encrypted or logical volume, a RAID or a loop device (``/sys/dev/block``). What a server or a cloud
provider does below a disk it cannot tell.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

_MOUNTS: Final = Path("/proc/self/mountinfo")
_BLOCK: Final = Path("/sys/dev/block")
_DEEPEST: Final = 16  # loop devices on files on loop devices …
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


class _Mount(NamedTuple):
    point: str
    kind: str
    source: str


def shared_disk(one: Path, other: Path) -> str | None:
    """Return why two existing paths are on one disk; None if they are apart as far as can be told.

    :raises OSError: if one of them does not exist.
    """
    if os.stat(one).st_dev == os.stat(other).st_dev:
        return f"{other} is on the same file system as {one}"
    both = sorted(disks(one) & disks(other))
    return f"{other} is on the same disk as {one}: {', '.join(both)}" if both else None


def in_memory(path: Path) -> bool:
    """Whether what is in a folder is lost when the machine stops."""
    mount = _mount_of(path)
    return mount is not None and mount.kind in _IN_MEMORY


def disks(path: Path) -> set[str]:
    """Return the names of the disks below a path; of a network file system, its server.

    :raises OSError: if the path does not exist.
    """
    return _disks(path, _DEEPEST)


def _disks(path: Path, deepest: int) -> set[str]:
    device = os.stat(path).st_dev
    mount = _mount_of(path)
    if mount is not None and not _block(device).exists():
        server = re.match(r"(?://)?(\[[^]]+\]|[^:/]+)(?::|/)", mount.source)
        if server and not mount.source.startswith("/dev/") and "/" in mount.source:
            return {server[1]}
        with contextlib.suppress(OSError):
            device = os.stat(mount.source).st_rdev or device  # btrfs hides the disk's number
    return _below(_block(device), deepest) or {f"{os.major(device)}:{os.minor(device)}"}


def _block(device: int) -> Path:
    return _BLOCK / f"{os.major(device)}:{os.minor(device)}"


def _below(block: Path, deepest: int) -> set[str]:
    """Return the disks that a block device consists of."""
    if not block.exists() or deepest == 0:
        return set()
    block = block.resolve()
    if (block / "partition").exists():
        block = block.parent
    if (block / "loop" / "backing_file").exists():
        file = Path((block / "loop" / "backing_file").read_text().strip())
        return _disks(file, deepest - 1) if file.exists() else {block.name}
    parts = list((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
    found = [_below(part, deepest - 1) for part in parts]
    return set().union(*found) or {block.name}


def _mount_of(path: Path) -> _Mount | None:
    """Return the mount that a path is on; None where the system does not list mounts."""
    try:
        text = _MOUNTS.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None
    real = os.path.realpath(path)
    best: _Mount | None = None
    # A user who may mount may put any other line break into a name: the kernel escapes this one.
    for mount in map(_parsed, filter(None, text.split("\n"))):
        inside = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount  # of two on one point, the later one hides the other
    return best


def _parsed(line: str) -> _Mount:
    """Return what a line of mountinfo says (proc(5)): blanks in it are octal escapes."""
    before, _, after = line.partition(" - ")
    kind, source, *_ = after.split(" ")
    unescaped = [
        re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
        for text in (before.split(" ")[4], source)
    ]
    return _Mount(unescaped[0], kind, unescaped[1])
