"""The right border of a tree: all that is needed to go on, and its root."""

from __future__ import annotations

from pathlib import Path

import pytest
from tile_folders import hashes, write
from tile_oracle import mth

from chained_logging.transparency.tiles import TileReader
from chained_logging.transparency.tiles.border import Border

LEAVES = hashes(70_000)


def appended(border: Border, start: int, size: int) -> list[tuple[int, int, list[bytes]]]:
    """Append leaves bundle by bundle; return the tiles that became full."""
    full = []
    while start < size:
        end = min(size, (start // 256 + 1) * 256)
        full += border.append(LEAVES[start:end])
        start = end
    return full


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_536, 66_000])
def test_its_root_is_the_trees(size: int) -> None:
    border = Border()
    appended(border, 0, size)
    assert border.size == size
    assert border.root() == mth(LEAVES[:size])


def test_a_tile_is_full_with_its_256th_hash_and_is_one_of_the_next_level() -> None:
    border = Border()
    full = appended(border, 0, 600)
    assert [(level, index, len(row)) for level, index, row in full] == [(0, 0, 256), (0, 1, 256)]
    assert full[1][2] == LEAVES[256:512]
    assert border.partial() == [
        (0, 2, LEAVES[512:600]),
        (1, 0, [mth(LEAVES[:256]), mth(LEAVES[256:512])]),
    ]


def test_the_256th_full_tile_fills_one_above() -> None:
    border = Border()
    full = appended(border, 0, 65_536)
    assert [(level, index) for level, index, _ in full][-2:] == [(0, 255), (1, 0)]
    assert [(level, index) for level, index, _ in border.partial()] == [(2, 0)]


def test_it_goes_on_from_a_published_tree(tmp_path: Path) -> None:
    write(tmp_path, 600)
    border = Border.of(TileReader(tmp_path), 512)
    assert border.size == 512
    assert border.root() == mth(LEAVES[:512])
    appended(border, 512, 1_000)
    assert border.root() == mth(LEAVES[:1_000])
