"""Folders of tiles."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from note_keys import LOG, ORIGIN

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.transparency.tiles import write_tiles


def body(number: int) -> bytes:
    return b'{"seq":%d}' % number


def bodies(size: int, start: int = 0) -> Iterator[bytes]:
    return map(body, range(start, size))


def hashes(size: int) -> list[bytes]:
    return [merkle.leaf_hash(each) for each in bodies(size)]


def signed(root: bytes, size: int, origin: str = ORIGIN) -> bytes:
    return notes.sign_note(Checkpoint(origin, size, root).format(), ORIGIN, LOG).format()


@functools.cache
def checkpoint(size: int) -> bytes:
    return signed(merkle.root(hashes(size)), size)


def write(folder: Path, size: int, start: int = 0) -> int:
    return write_tiles(folder, bodies(size, start), checkpoint(size), size, start=start)
