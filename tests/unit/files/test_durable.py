"""Writes that a power failure does not undo."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chained_logging.errors import ForeignFile
from chained_logging.files.durable import is_mount, replace_file, sync_if_open


def test_the_new_content_replaces_the_old_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"a longer content")
    replace_file(path, b"short")
    assert path.read_bytes() == b"short"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_draft_that_a_crash_left_is_not_mixed_in(tmp_path: Path) -> None:
    draft = tmp_path / "file.new"
    draft.write_bytes(b"what a crash left, longer than the new content")
    draft.chmod(0o600)
    replace_file(tmp_path / "file", b"short")
    assert (tmp_path / "file").read_bytes() == b"short"


def test_a_failure_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def fail(fd: int) -> None:
        raise OSError("the disk failed")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="the disk failed"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_the_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the data, then the name: the other way round, a power failure leaves an empty file."""
    done: list[str] = []
    sync, rename, data = os.fsync, os.rename, os.fdatasync

    def synced(fd: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        sync(fd)

    def data_synced(fd: int) -> None:
        done.append("data")
        data(fd)

    def renamed(old: Path, new: Path) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "fdatasync", data_synced)
    monkeypatch.setattr(os, "rename", renamed)
    replace_file(tmp_path / "file", b"content")
    assert done == ["data", "rename", "directory"]


def test_anothers_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"theirs")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    with pytest.raises(ForeignFile, match="symbolic link"):
        replace_file(tmp_path / "file", b"ours")
    assert (tmp_path / "other").read_bytes() == b"theirs"


def test_a_file_that_its_owner_closed_meanwhile_needs_no_sync(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY, 0o600)
    sync_if_open(fd)
    os.close(fd)
    sync_if_open(fd)
    sync_if_open(-1)


def test_a_mount_with_a_strange_name_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = b"1 1 8:1 / /home/ann/a\rb\rc rw - fuse.x ann rw\n"
    listed = strange + b"1 1 8:2 / /logs/audit.db rw - ext4 disk rw\n"
    monkeypatch.setattr(Path, "read_bytes", lambda _: listed)
    assert is_mount(Path("/logs/audit.db"))
    assert not is_mount(tmp_path)
