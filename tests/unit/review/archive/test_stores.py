"""Archives keep files by name: in a folder, and in S3 with Object Lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from archived import archive
from servers_s3 import Bucket, credentials, moto, moto_server

from chained_logging.errors import ForeignFile, Refused
from chained_logging.review.archive.stores import (
    Archive,
    BucketArchive,
    FolderArchive,
    at_hand,
    open_archive,
)
from chained_logging.ship.s3 import init

__all__ = ["archive", "credentials", "moto", "moto_server"]  # fixtures

NAME = "audit.00000000000000000007.jsonl.gz"


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, archive: Path) -> Archive:
    if request.param == "folder":
        return open_archive(str(archive))
    bucket: Bucket = request.getfixturevalue("moto")
    assert init(bucket.url, retention="30d") == []
    return open_archive(bucket.url)


def test_a_file_is_put_once(store: Archive) -> None:
    assert store.get(NAME) is None
    store.put(NAME, b"one")
    store.put(NAME, b"two")
    store.put("other", b"three")
    assert store.get(NAME) == b"one"
    assert store.names() == [NAME, "other"]
    store.close()


def test_the_files_of_a_log_are_at_hand(store: Archive, archive: Path) -> None:
    store.put(NAME, b"one")
    store.put("other.00000000000000000007.jsonl.gz", b"two")
    where = store.name if isinstance(store, BucketArchive) else str(archive)
    with at_hand(where, Path("audit.jsonl")) as paths:
        assert [(path.name, path.read_bytes()) for path in paths] == [(NAME, b"one")]
    assert isinstance(store, FolderArchive) or not paths[0].exists()


def test_a_file_in_s3_is_locked(moto: Bucket) -> None:
    store = open_archive(moto.url)
    with pytest.raises(Refused, match="has no policy"):
        store.put(NAME, b"one")
    assert init(moto.url, retention="30d") == []
    store.put(NAME, b"one")
    (version,) = moto.versions(NAME)
    head = moto.client.head_object(
        Bucket=moto.name, Key=version["Key"], VersionId=version["VersionId"]
    )
    assert head["ObjectLockMode"] == "COMPLIANCE"


def test_what_s3_does_not_take_is_said(moto: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = BucketArchive(moto.url)
    store._limit = 10
    with pytest.raises(Refused, match=r"takes at most 10 bytes in one file.*seal smaller segments"):
        store.put(NAME, b"x" * 11)


def test_no_link_is_followed(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"mine")
    (archive / NAME).symlink_to(tmp_path / "secret")
    with pytest.raises(ForeignFile):
        FolderArchive(archive).put(NAME, b"one")
    assert (tmp_path / "secret").read_bytes() == b"mine"


def test_another_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an archive is a folder, or s3"):
        open_archive("postgresql://h/d")
    with pytest.raises(FileNotFoundError, match="is the disk mounted"):
        open_archive(str(tmp_path / "missing"))
