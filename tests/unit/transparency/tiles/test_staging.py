"""Files on their way into a folder that is read meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from note_keys import LOG_KEY
from tile_folders import bodies, checkpoint, hashes, write
from tile_oracle import expected_files, files

from chained_logging.files import durable
from chained_logging.format import merkle
from chained_logging.format.merkle import ProofError
from chained_logging.transparency.tiles import (
    TileReader,
    check_tiles,
    staging,
    write_tiles,
)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "public" / "log"
    write(folder, 300)
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_wrong_tiles_of_a_refused_run_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_BATCH", 1)
    write(tmp_path, 300)
    wrong = [*bodies(300), *(b"wrong %d" % number for number in range(700))]
    with pytest.raises(ProofError, match="another root"):
        write_tiles(tmp_path, wrong, checkpoint(900), 900)
    assert files(tmp_path)["tile/0/001"] != expected_files(list(bodies(900)))["tile/0/001"]
    assert check_tiles(tmp_path, [LOG_KEY]).size == 300  # by the partial ones
    assert merkle.root(TileReader(tmp_path), 300) == merkle.root(hashes(300))
    write(tmp_path, 900)
    assert check_tiles(tmp_path, [LOG_KEY]).size == 900
    assert expected_files(list(bodies(900))).items() <= files(tmp_path).items()


def test_the_order_of_what_reaches_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A model of a disk: contents are safe once synced, names once their directory was.
    synced: set[int] = set()
    pending: set[Path] = set()
    rename, sync_file, sync_directory = os.rename, durable.sync_file, durable.sync_directory

    def on_rename(source: Path, target: Path) -> None:
        assert os.stat(source).st_ino in synced, f"{target} gets its name before its content"
        if target.name == "checkpoint":
            assert not pending, "the checkpoint gets its name before the tiles have theirs"
        rename(source, target)
        at = target
        while at != tmp_path:
            pending.add(at)
            at = at.parent

    def on_sync_file(fd: int) -> None:
        sync_file(fd)
        synced.add(os.fstat(fd).st_ino)

    def on_sync_directory(path: Path) -> None:
        sync_directory(path)
        pending.difference_update([each for each in pending if each.parent == path.parent])

    monkeypatch.setattr(staging, "sync_file", on_sync_file)
    monkeypatch.setattr(staging, "sync_directory", on_sync_directory)
    monkeypatch.setattr(os, "rename", on_rename)
    monkeypatch.setattr(staging, "_BATCH", 3)
    for size in (10, 256, 1500, 1501, 4000):
        write(tmp_path, size)
        assert not pending


def test_a_name_has_a_whole_file_and_comes_with_a_move(tmp_path: Path) -> None:
    files = staging.Staging(tmp_path, 0)
    files.add("tile/0/000", b"hashes", 256)
    assert not (tmp_path / "tile").exists()
    files.move()
    assert (tmp_path / "tile/0/000").read_bytes() == b"hashes"
    assert files.written == 1
    files.add("tile/0/000", b"hashes", 256)  # it is there
    files.move()
    assert files.written == 1
    files.close()
    assert not (tmp_path / ".new").exists()


def test_what_a_checkpoint_vouches_for_is_not_changed(tmp_path: Path) -> None:
    files = staging.Staging(tmp_path, 256)
    for path in ("tile/0/000", "tile/0/001"):
        files.add(path, b"hashes")
    files.move()
    with pytest.raises(ProofError, match="tile/0/000 is there with other content"):
        files.add("tile/0/000", b"others", 256)
    files.add("tile/0/001", b"others", 512)  # beyond it: nobody was told of that one
    files.move()
    assert (tmp_path / "tile/0/001").read_bytes() == b"others"


def test_partial_tiles_go_once_the_full_one_is_there(tmp_path: Path) -> None:
    files = staging.Staging(tmp_path, 0)
    files.add("tile/0/000.p/7", b"part", 7)
    files.move()
    files.add("tile/0/000", b"whole", 256)
    files.move()
    assert (tmp_path / "tile/0/000.p/7").exists()
    files.remove_overtaken()
    assert not (tmp_path / "tile/0/000.p").exists()


def test_what_a_killed_run_left_aside_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".new").mkdir()
    (tmp_path / ".new" / "0").write_bytes(b"old")
    staging.Staging(tmp_path, 0)
    assert list((tmp_path / ".new").iterdir()) == []
