"""The right border of a tree, in tiles: all that is needed to go on, and its root."""

from __future__ import annotations

from chained_logging.format.merkle import root, root_over
from chained_logging.format.tile import TILE_HEIGHT, TILE_WIDTH
from chained_logging.transparency.tiles.reader import TileReader

TileHashes = tuple[int, int, list[bytes]]
"""The level and the index of a tile, and its hashes."""


class Border:
    """The partial tiles of a tree, one a level: all that is needed to go on, and its root."""

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = [[]]

    @classmethod
    def of(cls, reader: TileReader, size: int) -> Border:
        """Take up a published tree at a multiple of 256."""
        border = cls()
        border.size = size
        level = 1
        while count := size >> (TILE_HEIGHT * level):
            width = count % TILE_WIDTH
            row = reader.tile(level, count // TILE_WIDTH) if width else []
            border._rows.append(row[:width])
            level += 1
        return border

    def append(self, leaves: list[bytes]) -> list[TileHashes]:
        """Append leaves, not beyond the end of a tile; return the tiles that they complete."""
        self._rows[0] += leaves
        self.size += len(leaves)
        full: list[TileHashes] = []
        for level, row in enumerate(self._rows):
            if len(row) < TILE_WIDTH:
                break
            if level + 1 == len(self._rows):
                self._rows.append([])
            full.append((level, (self.size >> (TILE_HEIGHT * (level + 1))) - 1, row))
            self._rows[level] = []
            self._rows[level + 1].append(root_over(row))
        return full

    def partial(self) -> list[TileHashes]:
        """Return the tiles at the border, without empty ones."""
        return [
            (level, self.size >> (TILE_HEIGHT * (level + 1)), row)
            for level, row in enumerate(self._rows)
            if row
        ]

    def root(self) -> bytes:
        """Return the root of the tree. All subtrees it is made of lie in the partial tiles."""
        return root(self._node, self.size)

    def _node(self, level: int, index: int) -> bytes:
        row, height = divmod(level, TILE_HEIGHT)
        begin = (index << height) % TILE_WIDTH
        return root_over(self._rows[row][begin : begin + (1 << height)])
