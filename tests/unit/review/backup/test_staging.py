"""Files that are made beside a backup, and take their places at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chained_logging.errors import Busy, ForeignFile
from chained_logging.review.backup.staging import Staging, blocks_of, sha256_of


def test_files_take_their_places_in_order_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"before")
    (tmp_path / "b").chmod(0o600)
    with Staging(tmp_path, "audit.db") as staging:
        assert staging.write("a", [b"1", b"2"]) == hashlib.sha256(b"12").hexdigest()
        staging.write("b", [b"new"])
        staging.sync("b")
        assert staging.files() == ["a", "b"]
        assert (tmp_path / "b").read_bytes() == b"before"
        staging.publish(["a", "b"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": b"12",
        "b": b"new",
    }
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fails(path: Path) -> None:
        with Staging(path, "audit.db") as staging:
            staging.write("a", [b"1"])
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fails(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_call_left_is_kept_as_far_as_it_is_wanted(tmp_path: Path) -> None:
    staging = Staging(tmp_path, "audit.db")
    for name in ("a", "b"):
        staging.write(name, [b"1"])
    staging._lock.close()  # as the kernel does at the end of a process
    with Staging(tmp_path, "audit.db") as again:
        again.keep_only(["b"])
        assert again.files() == ["b"]


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Staging(tmp_path, "audit.db"), pytest.raises(Busy, match="another backup"):
        Staging(tmp_path, "audit.db")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / ".audit.db.part").symlink_to(tmp_path / "secret")
    with pytest.raises(ForeignFile):
        Staging(tmp_path, "audit.db")
    with Staging(tmp_path, "b.db") as staging:
        staging.write("b.db", [b"1"])
        (tmp_path / "b.db").symlink_to(tmp_path / "secret")
        with pytest.raises(ForeignFile):
            staging.publish(["b.db"])


def test_blocks_end_where_they_should(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with open(path, "rb") as file:
        assert b"".join(blocks_of(file, 4)) == b"0123"
        assert b"".join(blocks_of(file)) == b"456789"
    assert sha256_of(path) == hashlib.sha256(b"0123456789").hexdigest()
    assert sha256_of(tmp_path / "missing") is None
