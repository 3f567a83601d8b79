"""Checking a whole folder of tiles against its checkpoint."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from note_keys import LOG_KEY, ORIGIN, OTHER_KEY, WITNESS, WITNESS_KEY
from tile_folders import bodies, checkpoint, write
from tile_oracle import expected_files, files, mth

from chained_logging.format import merkle
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.format.merkle import ProofError
from chained_logging.format.spelling import NoteError
from chained_logging.transparency.tiles import (
    check_tiles,
)


def test_every_file_is_checked(grown: Path, tmp_path: Path) -> None:
    there = files(grown)
    # 44 of 300 went when its tile became full.
    assert {path for path in there if ".p/" in path} == {
        *(f"tile/{row}/002.p/{width}" for row in ("0", "entries") for width in (78, 88)),
        "tile/1/000.p/1",
        "tile/1/000.p/2",
    }
    folder = tmp_path / "log"
    shutil.copytree(grown, folder)
    chance = random.Random(1)
    for path, data in there.items():
        every = range(len(data)) if len(data) < 300 else chance.sample(range(len(data)), 40)
        for at in every:
            damaged = bytearray(data)
            damaged[at] ^= 1 << chance.randrange(8)
            (folder / path).write_bytes(damaged)
            with pytest.raises((ProofError, NoteError)):
                check_tiles(folder, [LOG_KEY])
        for other in (b"", data[:-1], data + b"\0", data[:-32], data + data[-32:]):
            (folder / path).write_bytes(other)
            with pytest.raises((ProofError, NoteError)):
                check_tiles(folder, [LOG_KEY])
        (folder / path).write_bytes(data)
    assert check_tiles(folder, [LOG_KEY]).size == 600
    needed = {"checkpoint", *expected_files(list(bodies(600)))}
    for path, data in there.items():
        (folder / path).unlink()
        if path in needed:
            with pytest.raises(ProofError, match=r"missing|no checkpoint"):
                check_tiles(folder, [LOG_KEY])
        else:  # the specification asks a log for it, but this checkpoint can do without
            check_tiles(folder, [LOG_KEY])
        (folder / path).write_bytes(data)


def test_a_changed_entry_with_all_its_hashes_is_found(grown: Path, tmp_path: Path) -> None:
    # Who can write the folder can make it consistent, but not sign it.
    entries = list(bodies(600))
    entries[123] = b'{"seq":124}'
    for path, data in expected_files(entries).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "checkpoint").write_bytes(checkpoint(600))
    with pytest.raises(ProofError, match="another root"):
        check_tiles(tmp_path, [LOG_KEY])
    root = mth([merkle.leaf_hash(each) for each in entries])
    for note in (
        Checkpoint(ORIGIN, 600, root).format() + "\n" + checkpoint(600).decode().split("\n\n")[1],
        notes.sign_note(Checkpoint(ORIGIN, 600, root).format(), ORIGIN, WITNESS).format().decode(),
    ):
        (tmp_path / "checkpoint").write_text(note)
        with pytest.raises(NoteError):
            check_tiles(tmp_path, [LOG_KEY])


def test_the_logs_own_signature_is_needed(tmp_path: Path) -> None:
    write(tmp_path, 3)
    note = notes.Note.parse(checkpoint(3))
    cosignature = notes.cosign(note.text, WITNESS_KEY.name, WITNESS, 7)
    (tmp_path / "checkpoint").write_bytes(notes.Note(note.text, (cosignature,)).format())
    for keys in ([LOG_KEY], [LOG_KEY, WITNESS_KEY], [OTHER_KEY], []):
        with pytest.raises(NoteError):
            check_tiles(tmp_path, keys)


def test_what_is_beyond_the_checkpoint_or_no_tile_is_not_looked_at(
    grown: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    shutil.copytree(grown, folder)
    for path in ("tile/0/002", "tile/0/002.p/200", "tile/0/002.p/note.txt", "tile/0/003", "x"):
        (folder / path).write_bytes(b"anything")
    (folder / "tile/0/001.p").write_bytes(b"anything")
    assert check_tiles(folder, [LOG_KEY]).size == 600
