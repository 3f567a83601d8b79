"""What is copied of a log, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from backed_up import ORIGIN, folder, key, log, written
from chains import EVENT, stored

from chained_logging import AuditLog, verify
from chained_logging.errors import StoreError
from chained_logging.keys import PrivateKey
from chained_logging.review.backup.files import copy_database, copy_lines
from chained_logging.review.backup.staging import Staging
from chained_logging.sinks.segments import read_manifest, segment_paths

__all__ = ["folder", "key", "log"]  # fixtures


def test_a_database_is_copied_with_what_only_its_wal_has(
    tmp_path: Path, folder: Path, key: PrivateKey
) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path, key=key, origin=ORIGIN) as log:
        log.append("read", **EVENT)
        with Staging(folder, path.name) as staging:
            assert copy_database(path, staging) == (["audit.db"], [], [])
            copy = staging.file("audit.db")
            assert stored(copy) == stored(path)
            assert not list(staging.path.glob("audit.db-*"))
            assert copy.stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_not_one_is_said(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "audit.db"
    path.write_bytes(b"nothing" * 1000)
    with Staging(folder, path.name) as staging, pytest.raises(StoreError, match=r"audit\.db"):
        copy_database(path, staging)


def test_segments_the_file_and_what_is_beside_it_are_copied_and_no_key(
    tmp_path: Path, folder: Path, key: PrivateKey
) -> None:
    path = written(tmp_path / "audit.jsonl", 30, key=key)
    (tmp_path / "audit.key").write_bytes(b"secret")
    (tmp_path / "audit.jsonl.torn-7-1").write_bytes(b"evidence")
    with Staging(folder, path.name) as staging:
        made, kept, damaged = copy_lines(path, staging)
        segments = [segment.name for segment in segment_paths(path)]
        assert len(segments) > 2
        assert made == [
            *segments,
            "audit.jsonl",
            "audit.jsonl.checkpoints",
            "audit.jsonl.manifest",
            "audit.jsonl.torn-7-1",
        ]
        assert (kept, damaged) == ([], [])
        for name in made:
            assert staging.file(name).read_bytes() == (tmp_path / name).read_bytes()
        assert staging.files() == sorted(made)


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 3, max_bytes=None)
    whole = path.read_bytes()
    for name in ("audit.jsonl", "audit.jsonl.checkpoints"):
        with open(tmp_path / name, "ab") as file:
            file.write(b'{"action":"half')
    with Staging(folder, path.name) as staging:
        copy_lines(path, staging)
        assert staging.file("audit.jsonl").read_bytes() == whole
        assert staging.file("audit.jsonl.checkpoints").read_bytes() == b""


def test_only_what_is_new_is_copied_again(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    with Staging(folder, path.name) as staging:
        first = copy_lines(path, staging)
        staging.publish(first.made)
    sealed = [segment.name for segment in segment_paths(path)]
    written(path, 20)
    with Staging(folder, path.name) as staging:
        made, kept, damaged = copy_lines(path, staging)
        assert kept == sealed
        assert not set(sealed) & set(made)
        assert damaged == []
        staging.publish(made)
    assert verify(folder / "audit.jsonl").intact
    assert read_manifest(folder / "audit.jsonl") == read_manifest(path)


def test_what_an_earlier_call_has_copied_is_not_copied_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    with Staging(folder, path.name) as staging:
        copy_lines(path, staging)
        times = {name: staging.file(name).stat().st_mtime_ns for name in staging.files()}
        copy_lines(path, staging)
        for segment in segment_paths(path):
            assert staging.file(segment.name).stat().st_mtime_ns == times[segment.name]


def test_a_damaged_segment_is_named_and_copied_again(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    with Staging(folder, path.name) as staging:
        staging.publish(copy_lines(path, staging).made)
    first = segment_paths(folder / "audit.jsonl")[1]
    data = first.read_bytes()
    first.write_bytes(data.replace(b"10.0.0.1", b"10.0.0.2", 1))
    with Staging(folder, path.name) as staging:
        made, _, damaged = copy_lines(path, staging)
        assert damaged == [first.name]
        # It may hold stubs that the file explains: so it comes after it.
        assert made.index(first.name) > made.index("audit.jsonl")
        staging.publish(made)
    assert first.read_bytes() == data


def test_segments_that_left_the_log_stay_in_the_backup(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    with Staging(folder, path.name) as staging:
        staging.publish(copy_lines(path, staging).made)
    gone = segment_paths(path)[0]
    gone.unlink()
    with Staging(folder, path.name) as staging:
        made, kept, _ = copy_lines(path, staging)
        assert gone.name in kept
        staging.publish(made)
    assert gone.name in {segment.file for segment in read_manifest(folder / "audit.jsonl")}
    assert verify(folder / "audit.jsonl").starts_at_genesis


def test_a_name_that_is_a_pattern_is_no_pattern(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "a[b]*.jsonl", 3)
    (tmp_path / "ab.jsonl.torn-1-1").write_bytes(b"of another log")
    (tmp_path / "a[b]*.jsonl.torn-1-1").write_bytes(b"of this one")
    with Staging(folder, path.name) as staging:
        made = copy_lines(path, staging).made
    assert [name for name in made if "torn" in name] == ["a[b]*.jsonl.torn-1-1"]
