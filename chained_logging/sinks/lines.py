"""The lines of a JSON Lines log, read: entries, and the stubs of those that were removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from chained_logging.errors import NotALog
from chained_logging.files.own import open_file
from chained_logging.format.line import MAX_BODY, position, split_line, stored_line
from chained_logging.format.record import Head, Record
from chained_logging.format.stub import STUB_BEGINS, Stub, read_stub, stub_line

MAX_LINE: Final = MAX_BODY + 256
"""The longest stored line: a body, its hash, a signature, the line feed."""

BLOCK: Final = 4 * MAX_LINE
"""Bytes that are read at once."""


def parsed(line: bytes) -> Record | Stub:
    """Return what a line holds, given without its line feed. Nothing is verified.

    :raises ValueError: if it is neither an entry nor a stub in stored form.
    """
    if line.startswith(STUB_BEGINS):
        return read_stub(line)
    body, hash, signature = split_line(line)
    return Record(position(body)[0], body, hash, signature)


def line_of(item: Record | Stub) -> bytes:
    """Return the line in which an item is stored, without its line feed."""
    return stub_line(item) if isinstance(item, Stub) else stored_line(*item[1:])


def stored(file: BinaryIO, start: int) -> Iterator[Record | Stub]:
    """Yield what a file holds from `start` on.

    :raises ValueError: at the first line that is neither an entry nor a stub.
    """
    seq = -1
    for line in lines(file, start):
        try:
            item = parsed(line)
        except ValueError:
            if seq + 1 < start:  # before the first entry that is asked for
                continue
            raise
        seq = item.seq
        if seq >= start:
            yield item


def readable(file: BinaryIO, start: int) -> Iterator[Record | Stub]:
    """As :func:`stored`, but skip lines that are neither."""
    for line in lines(file, start):
        with contextlib.suppress(ValueError):
            item = parsed(line)
            if item.seq >= start:
                yield item


def lines(file: BinaryIO, start: int) -> Iterator[bytes]:
    """Yield lines, with b"" for each piece of one that is too long; skip a torn last line."""
    if start:
        file.seek(place_before(file.fileno(), start))
    inside = False  # in a line that is too long and comes in pieces
    while line := file.readline(MAX_LINE):
        whole = line.endswith(b"\n")
        if not whole and len(line) < MAX_LINE:
            return  # the end; another process may just be writing the rest of this line
        yield line[:-1] if whole and not inside else b""
        inside = not whole


def place_before(fd: int, start: int) -> int:
    """Return the offset of a line not far before entry `start`; or 0."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > BLOCK:  # entries are in order: a binary search takes 20 reads
        middle = (low + high) // 2
        block = os.pread(fd, 2 * MAX_LINE, middle)
        begin = block.find(b"\n") + 1
        end = block.find(b"\n", begin)
        try:
            if end < 0 or parsed(block[begin:end]).seq >= start:
                high = middle
            else:
                low = middle + begin
        except ValueError:
            return low
    return low


def first_seq(fd: int) -> int:
    """Return the ``seq`` of the first entry of a file.

    :raises ValueError: if it does not begin with an entry or a stub.
    """
    return parsed(os.pread(fd, MAX_LINE, 0).partition(b"\n")[0]).seq


def head_of(segment: Path) -> Head:
    """Return a sealed segment's last entry.

    :raises FAILURES: if it cannot be read.
    :raises NotALog: if it does not end with an entry.
    """
    with open_file(segment, "rb") as file:
        start = max(0, os.fstat(file.fileno()).st_size - MAX_LINE - 1)
        found = last_entry(os.pread(file.fileno(), MAX_LINE + 1, start))
    if found is None or not found[1]:
        raise NotALog(f"{segment} is not a segment: it does not end with an entry")
    return found[0]


def last_entry(block: bytes) -> tuple[Head, bool] | None:
    """Return the last entry, or stub, of some lines as a head, and whether it is the last line."""
    end = len(block)
    while end:
        begin = block.rfind(b"\n", 0, end - 1) + 1
        try:
            item = parsed(block[begin : end - 1])
            return Head(item.seq, item.hash), end == len(block)
        except ValueError:
            end = begin
    return None
