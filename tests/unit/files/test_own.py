"""A file that is not the log's own is left as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chained_logging.errors import ForeignFile
from chained_logging.files.own import (
    open_own,
    open_regular,
    refuse_what_is_there,
    require_own,
    why_foreign,
    write_new,
)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path, before = tmp_path / "file", os.umask(0)
    try:
        os.close(open_own(path, os.O_RDWR | os.O_CREAT))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert require_own(path)
    assert not require_own(tmp_path / "missing")


@pytest.mark.parametrize("how", ["link", "second name", "group", "others", "folder", "pipe"])
def test_what_is_not_its_own_is_neither_opened_nor_changed(tmp_path: Path, how: str) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"theirs")
    if how == "link":
        path.symlink_to(other)
    elif how == "second name":
        os.link(other, path)
    elif how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"theirs")
        path.chmod(0o620 if how == "group" else 0o602)
    with pytest.raises(ForeignFile, match="so it is not used"):
        open_own(path, os.O_RDWR | os.O_CREAT)
    assert other.read_bytes() == b"theirs"


def test_another_users_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    fields = list(os.stat(path))
    fields[4] = os.geteuid() + 1
    assert "belongs to the user" in str(why_foreign(os.stat_result(fields)))
    fields[4] = 0  # root made it for us
    assert why_foreign(os.stat_result(fields)) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ForeignFile, match="not a regular file"):
        open_regular(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["a.db", "a.db.lock", "a.db-wal", "a.db.spill", "a.db.manifest"])
def test_a_name_is_free_only_without_side_files(tmp_path: Path, name: str) -> None:
    target = tmp_path / "a.db"
    refuse_what_is_there(target)
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(FileExistsError, match=name):
        refuse_what_is_there(target)


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    write_new(tmp_path / "made", b"data")
    assert (tmp_path / "made").read_bytes() == b"data"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for there in ("made", "link"):
        with pytest.raises(FileExistsError, match=f"{there} exists already: choose another name"):
            write_new(tmp_path / there, b"other")
    assert (tmp_path / "made").read_bytes() == b"data"
    assert not (tmp_path / "nowhere").exists()


def test_a_new_file_that_cannot_be_written_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_new(tmp_path / "half", "no bytes")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
