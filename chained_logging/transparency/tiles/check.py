"""Checking a whole folder of tiles against its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import ProofError, leaf_hash
from chained_logging.format.note import verify_note
from chained_logging.format.spelling import NoteError
from chained_logging.format.tile import (
    TILE_WIDTH,
    encode_entries,
    entries_path,
    parse_tile_path,
    tile_path,
)
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.transparency.tiles.border import Border, TileHashes
from chained_logging.transparency.tiles.reader import TileReader, read_file


def check_tiles(folder: Path, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Verify a whole folder; return what its checkpoint states.

    That is: the log's signature; every entry against its hash in the tree; every tile of every
    level against the hashes below it, byte for byte; the root against the checkpoint's; and the
    partial tiles of earlier checkpoints, as far as they were kept. Nothing may be missing. What a
    stopped run has left beyond the checkpoint is not part of the log and not looked at, nor are
    files that are not tiles.

    Memory is bounded by a bundle of 256 entries.

    :param keys: those of the log, of type Ed25519, under whatever names; and those of witnesses
        whose cosignature must hold where there is one. The caller compares the origin.
    :raises NoteError: if the checkpoint is malformed, a known key's signature does not hold, or
        no key of the log signed it.
    :raises ProofError: if something is missing or not what the rest says, naming the file.
    :raises OSError: if a file cannot be read.
    """
    try:
        reader = TileReader(folder)
    except FileNotFoundError:
        raise ProofError(f"{folder} has no checkpoint") from None
    verified = verify_note(reader.note, keys)
    if not any(found.key.type == ED25519 for found in verified):
        raise NoteError("the checkpoint has the signatures of witnesses only, not the log's")
    checkpoint = reader.checkpoint
    border = Border()
    while border.size < checkpoint.size:
        index = border.size // TILE_WIDTH
        entries = reader.bundle(index)
        _check_partials(folder, entries_path(index), entries, encode_entries)
        for tile in border.append([leaf_hash(entry) for entry in entries]):
            _check_tile(reader, folder, tile)
    for tile in border.partial():
        _check_tile(reader, folder, tile)
    if border.root() != checkpoint.root:
        raise ProofError(
            f"the {checkpoint.size} entries have another root than the checkpoint says"
        )
    return checkpoint


def _check_tile(reader: TileReader, folder: Path, tile: TileHashes) -> None:
    level, index, hashes = tile
    path = tile_path(level, index)
    for at, (said, computed) in enumerate(zip(reader.tile(level, index), hashes, strict=True)):
        if said != computed:
            below = f"entry {index * TILE_WIDTH + at}" if level == 0 else "the tiles below it"
            raise ProofError(f"{path}: hash {at} is not that of {below}: one of them was changed")
    _check_partials(folder, path, hashes, b"".join)


def _check_partials(
    folder: Path, path: str, parts: list[bytes], encode: Callable[[list[bytes]], bytes]
) -> None:
    """Check the partial tiles that were kept of a tile: they are its beginnings."""
    try:
        names = os.listdir(folder / f"{path}.p")
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            width = parse_tile_path(f"{path}.p/{name}").width
        except ProofError:  # something else
            continue
        if width > len(parts):  # beyond the checkpoint
            continue
        expected = encode(parts[:width])
        with suppress(FileNotFoundError):  # overtaken this moment
            if read_file(folder / f"{path}.p/{name}", len(expected)) != expected:
                raise ProofError(f"{path}.p/{name} is not how {path} begins: one was changed")
