"""Tiles: the form in which C2SP ``tlog-tiles`` publishes nodes and entries as files.

Pure functions on paths and bytes. A full tile has 256 hashes, a full entry bundle 256 entries.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chained_logging.format.merkle import MAX_SIZE, ProofError

TILE_WIDTH: Final = 256
"""How many hashes, or entries, a full tile has (C2SP ``tlog-tiles``)."""

TILE_HEIGHT: Final = 8
"""How many levels of the tree a tile spans: 2**8 hashes."""

MAX_ENTRY: Final = 65_535
"""The longest entry in bytes that an entry bundle can hold: its length is an uint16."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a tile is."""

    level: int | None
    """0 for leaf hashes, 1 for the nodes over full tiles of level 0 …; ``None`` for entries."""
    index: int
    width: int
    """How many hashes, or entries, it has: 256, or fewer at the tree's right border."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile of hashes, as ``tile/0/x001/x234/067.p/8`` (C2SP ``tlog-tiles``).

    :raises ProofError: if there is no such tile: a level beyond 63, an index beyond 2**63 - 1, a
        width beyond 256, or any below what there can be.
    """
    if not 0 <= level < 64:
        raise ProofError("the level of a tile must be from 0 to 63")
    return _path(str(level), index, width)


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle, as ``tile/entries/x001/x234/067`` (C2SP ``tlog-tiles``).

    :raises ProofError: as :func:`tile_path`.
    """
    return _path("entries", index, width)


def _path(row: str, index: int, width: int) -> str:
    if not 0 <= index <= MAX_SIZE:
        raise ProofError("the index of a tile must be from 0 to 2**63 - 1")
    if not 1 <= width <= TILE_WIDTH:
        raise ProofError("the width of a tile must be from 1 to 256")
    groups = f"{index:,}".split(",")
    groups[0] = groups[0].zfill(3)
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{row}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1] + partial


_TILE_PATH = re.compile(
    r"tile/(?:entries|([0-9]|[1-5][0-9]|6[0-3]))/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?"
)


def parse_tile_path(path: str) -> Tile:
    """Return what :func:`tile_path` or :func:`entries_path` made a path of.

    :raises ProofError: for anything else, also for another spelling of the same tile.
    """
    found = _TILE_PATH.fullmatch(path)
    if found is None:
        raise ProofError("not the path of a tile")
    level, index, width = found.groups()
    tile = Tile(
        None if level is None else int(level),
        int(index.replace("x", "").replace("/", "")),
        TILE_WIDTH if width is None else int(width),
    )
    if _path(level or "entries", tile.index, tile.width) != path:
        raise ProofError("not the path of a tile in the one form that it has")
    return tile


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: each entry after its length in 2 bytes (C2SP ``tlog-tiles``).

    :param entries: 1 to 256 of them, each of at most 65,535 bytes.
    :raises ProofError: for more, or longer ones.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise ProofError(f"an entry bundle must have 1 to 256 entries, not {len(entries)}")
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ProofError(f"an entry of {len(entry)} bytes does not fit an entry bundle")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_entries(bundle: bytes) -> list[bytes]:
    """Return the entries of an entry bundle.

    :raises ProofError: if it is cut off, or has no entries or more than 256.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin = at + 2
        at = begin + int.from_bytes(bundle[at:begin], "big")
        if begin > len(bundle) or at > len(bundle):
            raise ProofError(f"the entry bundle is cut off in entry {len(entries)}")
        if len(entries) == TILE_WIDTH:
            raise ProofError("the entry bundle has more than 256 entries")
        entries.append(bundle[begin:at])
    if not entries:
        raise ProofError("the entry bundle has no entries")
    return entries
