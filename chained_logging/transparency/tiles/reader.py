"""Reading tiles: the nodes and the entries of a published tree."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import HASH_SIZE, ProofError, root_over
from chained_logging.format.note import MAX_NOTE, Note
from chained_logging.format.tile import (
    MAX_ENTRY,
    TILE_HEIGHT,
    TILE_WIDTH,
    decode_entries,
    entries_path,
    parse_tile_path,
    tile_path,
)

_MAX_BUNDLE: Final = TILE_WIDTH * (2 + MAX_ENTRY)


class TileReader:
    """The tree and the entries in a folder, as its checkpoint was when the reader was made.

    An object is a :data:`chained_logging.format.merkle.NodeReader`: called with a level and an
    index it returns the hash of that node, so that it goes where
    :func:`~chained_logging.format.merkle.root`,
    :func:`~chained_logging.format.merkle.inclusion_proof` and
    :func:`~chained_logging.format.merkle.consistency_proof` take `nodes`. Bounds and lengths are
    checked; that the hashes are true is not, and shows when a proof is verified, or by
    :func:`check_tiles`.

    The folder may grow meanwhile: if a partial tile is gone, the full one is read.

    :raises FileNotFoundError: if there is no checkpoint.
    :raises NoteError: if the checkpoint is malformed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        data = read_file(folder / "checkpoint", MAX_NOTE)
        self.note: Note = Note.parse(data)
        """The published note. Its signatures are not verified."""
        self.checkpoint: Checkpoint = Checkpoint.parse(self.note.text)
        """What it says."""
        self._tile = lru_cache(maxsize=256)(self._read_tile)  # 2 MiB of hashes
        self._bundle = lru_cache(maxsize=1)(self._read_bundle)

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of node ``(level, index)``, over the 2**level leaves from
        ``index * 2**level`` on.

        :raises ProofError: if the tree has no such node, or its tile is missing or malformed.
        :raises OSError: if the tile cannot be read.
        """
        if level < 0 or index < 0 or (index + 1) << min(level, 64) > self.checkpoint.size:
            raise ProofError(f"a tree of {self.checkpoint.size} has no node ({level}, {index})")
        row, height = divmod(level, TILE_HEIGHT)
        tile, begin = divmod(index << height, TILE_WIDTH)
        return root_over(list(self._tile(row, tile)[begin : begin + (1 << height)]))

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile: 256, or fewer at the border.

        :raises ProofError: if the tree has no such tile, or it is missing or malformed.
        :raises OSError: if it cannot be read.
        """
        return list(self._tile(level, index))

    def bundle(self, index: int) -> list[bytes]:
        """Return the entries of a bundle: 256, or fewer at the border.

        :raises ProofError: as :meth:`tile`.
        :raises OSError: as :meth:`tile`.
        """
        return list(self._bundle(index))

    def entry(self, index: int) -> bytes:
        """Return an entry. Hold its leaf hash against a proof: it is not compared here.

        :raises ProofError: if the tree has no such entry, or its bundle is missing or malformed.
        :raises OSError: if the bundle cannot be read.
        """
        if not 0 <= index < self.checkpoint.size:
            raise ProofError(f"there is no entry {index} in a tree of {self.checkpoint.size}")
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def _read_tile(self, level: int, index: int) -> tuple[bytes, ...]:
        width = self._width(level, index)
        path, data = self._find(tile_path(level, index), width, TILE_WIDTH * HASH_SIZE)
        hashes = [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
        if len(data) != parse_tile_path(path).width * HASH_SIZE:
            raise ProofError(f"{path} is {len(data)} bytes long")
        return tuple(hashes[:width])

    def _read_bundle(self, index: int) -> tuple[bytes, ...]:
        width = self._width(0, index)
        path, data = self._find(entries_path(index), width, _MAX_BUNDLE)
        try:
            entries = decode_entries(data)
        except ProofError as error:
            raise ProofError(f"{path}: {error}") from None
        if len(entries) != parse_tile_path(path).width:
            raise ProofError(f"{path} has {len(entries)} entries")
        return tuple(entries[:width])

    def _width(self, level: int, index: int) -> int:
        count = self.checkpoint.size >> (TILE_HEIGHT * level) if 0 <= level < 64 else 0
        width = min(TILE_WIDTH, count - index * TILE_WIDTH)
        if index < 0 or width < 1:
            raise ProofError(
                f"a tree of {self.checkpoint.size} has no tile {index} at level {level}"
            )
        return width

    def _find(self, full: str, width: int, limit: int) -> tuple[str, bytes]:
        """Return the path and the content of a tile; or, if it was overtaken, of the full one."""
        wanted = full if width == TILE_WIDTH else f"{full}.p/{width}"
        for path in (wanted, full):
            with suppress(FileNotFoundError, NotADirectoryError):
                return path, read_file(self._folder / path, limit)
        raise ProofError(f"{wanted} is missing, though the checkpoint needs it")


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a file, or the first `limit` + 1 bytes: enough to see it is longer."""
    with open(path, "rb") as file:
        # Not the limit at once: as much memory would be taken.
        return file.read(min(limit, os.fstat(file.fileno()).st_size) + 1)
