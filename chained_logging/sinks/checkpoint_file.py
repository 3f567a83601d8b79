"""The checkpoints of a JSON Lines log, in a file beside it: ``audit.jsonl.checkpoints``.

Each line is a JSON object in canonical form: ``note`` is the C2SP signed note, ``size`` is the
number of entries it covers, and ``state`` is the Merkle tree's frontier at that size (base64), from
which the next checkpoint is made without reading the log again. When a witness or a timestamp
authority signs a checkpoint later, it is appended once more, with their signatures in ``note`` and
``timestamp``. Like the log, the file is append-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from chained_logging.errors import LogError
from chained_logging.files.durable import sync_directory, sync_file
from chained_logging.files.own import open_own, open_regular
from chained_logging.format.canonical import canonical
from chained_logging.format.record import NO_CHECKPOINT, StoredCheckpoint
from chained_logging.sinks.sink import RECENT

_MAX_LINE = 1 << 19


def checkpoint_path(log: Path) -> Path:
    """Return the path of a log's checkpoint file."""
    return log.with_name(f"{log.name}.checkpoints")


def read_checkpoints(log: Path, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
    """Read checkpoints in the order they were stored, each with the offset after it. A torn last
    line is skipped, and so is a line that is not a checkpoint.

    :param mark: the offset to begin at.
    :raises FAILURES: if the file cannot be read.
    """
    try:
        with open_regular(checkpoint_path(log)) as file:
            file.seek(mark)
            inside = False  # in a line that is too long and comes in pieces
            while line := file.readline(_MAX_LINE):
                mark += len(line)
                whole = line.endswith(b"\n")
                if not whole and len(line) < _MAX_LINE:
                    return  # another process may just be writing the rest
                stored = _parse(line) if whole and not inside else NO_CHECKPOINT
                inside = not whole
                if stored is not NO_CHECKPOINT:
                    yield mark, stored
    except FileNotFoundError:
        return


def recent_checkpoints(log: Path) -> list[StoredCheckpoint]:
    """Return the last checkpoints, the largest first; see :class:`chained_logging.sinks.Sink`.

    :raises FAILURES: if the file cannot be read.
    """
    try:
        with open_regular(checkpoint_path(log)) as file:
            size = os.fstat(file.fileno()).st_size
            start = max(0, size - 2 * _MAX_LINE)
            file.seek(start)
            lines = file.read(2 * _MAX_LINE).split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    if start:
        del lines[:1]  # its beginning was not read
    # A checkpoint that others signed later comes after newer ones, but not by much.
    last = [_parse(line) for line in reversed(lines[-RECENT:])]
    return sorted(last, key=lambda stored: -stored.size)


def append_checkpoint(log: Path, checkpoint: StoredCheckpoint) -> None:
    """Append a checkpoint and sync it. Only the holder of the log's lock may call this.

    :raises FAILURES: if it cannot be written.
    """
    path = checkpoint_path(log)
    fd = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        size = os.fstat(fd).st_size
        data = canonical(checkpoint.to_dict()) + b"\n"
        if len(data) > _MAX_LINE:
            raise LogError(f"{path}: a checkpoint of {len(data):,} bytes is too long to keep")
        tail = os.pread(fd, _MAX_LINE, max(0, size - _MAX_LINE))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn == _MAX_LINE:  # not ours, as it is too long: leave it for the verifier to find
            data = b"\n" + data
        elif torn:  # its writer died before the checkpoint was complete
            size -= torn
            os.ftruncate(fd, size)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(fd, data[written:], size + written)
            sync_file(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
        if size == 0:
            sync_directory(path)
    finally:
        os.close(fd)


def _parse(line: bytes) -> StoredCheckpoint:
    try:
        return StoredCheckpoint.from_json(line)
    except ValueError:
        return NO_CHECKPOINT
