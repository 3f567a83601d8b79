"""Reading tiles: the nodes and the entries of a published tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_keys import LOG_KEY
from tile_folders import bodies, body, hashes, write
from tile_oracle import mth

from chained_logging.format import merkle
from chained_logging.format.merkle import ProofError
from chained_logging.format.spelling import NoteError
from chained_logging.transparency.tiles import (
    TileReader,
    check_tiles,
    resume_at,
)


def test_nodes_and_tiles_within_bounds_only(grown: Path) -> None:
    reader = TileReader(grown)
    leaves = hashes(600)
    for level in range(10):
        for index in range(600 >> level):
            expected = mth(leaves[index << level : (index + 1) << level])
            assert reader(level, index) == expected, (level, index)
    for level, index in (
        *((level, 600 >> level) for level in range(70)),
        (-1, 0),
        (0, -1),
        (10, 0),
        (64, 0),
        (1 << 70, 0),
        (0, 1 << 70),
    ):
        with pytest.raises(ProofError, match="no node"):
            reader(level, index)
    assert reader.tile(0, 2) == leaves[512:]
    assert reader.bundle(2) == list(bodies(600, 512))
    assert [reader.entry(index) for index in (0, 255, 256, 599)] == [
        body(index) for index in (0, 255, 256, 599)
    ]
    for level, index in ((0, 3), (0, -1), (1, 1), (2, 0), (-1, 0), (64, 0)):
        with pytest.raises(ProofError, match="no tile"):
            reader.tile(level, index)
    for index in (600, -1, -600):
        with pytest.raises(ProofError, match="no entry"):
            reader.entry(index)
    with pytest.raises(ProofError, match="no tile"):
        reader.bundle(3)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 600), st.data())
def test_proofs_from_tiles(grown: Path, size: int, data: st.DataObject) -> None:
    reader = TileReader(grown)
    root = merkle.root(reader, size)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(reader, index, size)
    merkle.verify_inclusion(merkle.leaf_hash(reader.entry(index)), index, size, proof, root)
    proof = merkle.consistency_proof(reader, size, 600)
    merkle.verify_consistency(size, root, 600, reader.checkpoint.root, proof)


def test_a_reader_goes_on_while_the_folder_grows(tmp_path: Path) -> None:
    write(tmp_path, 300)
    reader = TileReader(tmp_path)
    write(tmp_path, 800)
    assert not (tmp_path / "tile/0/001.p").exists()
    assert merkle.root(reader, 300) == reader.checkpoint.root
    assert reader.bundle(1) == list(bodies(300, 256))
    assert reader.tile(0, 1) == hashes(300)[256:]
    with pytest.raises(ProofError):
        reader.entry(300)


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    assert resume_at(tmp_path) == 0
    with pytest.raises(FileNotFoundError):
        TileReader(tmp_path)
    with pytest.raises(ProofError, match="has no checkpoint"):
        check_tiles(tmp_path, [LOG_KEY])
    (tmp_path / "checkpoint").write_bytes(b"no note")
    for call in (TileReader, resume_at):
        with pytest.raises(NoteError):
            call(tmp_path)
