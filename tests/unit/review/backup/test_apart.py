"""Which places would be lost together with the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from backed_up import elsewhere

from chained_logging.errors import DestinationError
from chained_logging.review.backup import apart
from chained_logging.review.backup.apart import places

__all__ = ["elsewhere"]  # a fixture


class Store:
    """A store in S3 or PostgreSQL that answers what it is asked about itself."""

    def __init__(self, name: str, **answers: Any) -> None:
        self.name = name
        self.bucket = answers.get("bucket", name)
        self._answers = answers
        self.session = self

    def rows(self, query: str) -> list[tuple[str]]:
        return [(self._answer("cluster"),)]

    def opens(self) -> bool:
        return bool(self._answer("opens"))

    def owner(self) -> str:
        return str(self._answer("owner"))

    def _answer(self, name: str) -> Any:
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


def compared(monkeypatch: pytest.MonkeyPatch, one: Store, other: Store) -> Any:
    urls = {one.name: one, other.name: other}
    monkeypatch.setattr(apart, "open_destination", lambda url: urls[url])
    return places(Path("audit.db"), one.name, [other.name])


def test_a_folder_is_compared_with_the_logs(tmp_path: Path, elsewhere: Path) -> None:
    log = tmp_path / "audit.db"
    (tmp_path / "backup").mkdir()
    assert "same file system" in places(log, str(tmp_path / "backup"), ["s3://a/b"]).shared[0]
    found = places(log, str(elsewhere), ["s3://a/b"])
    assert found.shared == []
    assert "is in memory" in found.remarks[0]
    with pytest.raises(FileNotFoundError):
        places(log, str(tmp_path / "missing"), [])


@pytest.mark.parametrize("url", ["nats://h/S", "https://h/x", "syslog+tls://h", "gopher://h"])
def test_what_cannot_hold_a_backup_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a backup goes to a folder, postgresql"):
        places(Path("audit.db"), url, [])


def test_a_store_of_another_kind_is_apart() -> None:
    assert places(Path("audit.db"), "s3://a/b", ["postgresql://h/d", "nats://h/S"]) == ([], [])


@pytest.mark.parametrize(("other", "shared"), [("7", True), ("8", False)])
def test_a_cluster_is_known_by_its_number(
    monkeypatch: pytest.MonkeyPatch, other: str, shared: bool
) -> None:
    one, two = Store("postgresql://a/x", cluster="7"), Store("postgres://b/y", cluster=other)
    found = compared(monkeypatch, one, two)
    assert (found.shared != []) is shared
    assert not shared or "same PostgreSQL cluster as postgres://b/y: 7" in found.shared[0]


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ({"bucket": "x"}, {"bucket": "x"}, ["same bucket"]),
        (
            {"owner": "me"},
            {"opens": True, "owner": "me"},
            ["the credentials that write to", "same account"],
        ),
        ({"owner": "me"}, {"opens": True, "owner": "you"}, ["the credentials that write to"]),
        (
            {"owner": "me"},
            {"opens": True, "owner": DestinationError("denied")},
            ["the credentials that write to"],
        ),
        ({"owner": "me"}, {"opens": False}, []),
    ],
)
def test_buckets_are_apart_with_other_credentials(
    monkeypatch: pytest.MonkeyPatch, one: Any, two: Any, said: list[str]
) -> None:
    found = compared(monkeypatch, Store("s3://a/l", **one), Store("s3://b/l", **two))
    assert len(found.shared) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found.shared, strict=True))


def test_where_the_log_is_shipped_to_is_no_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store("s3://a/l")
    found = compared(monkeypatch, store, store)
    assert found.shared == ["s3://a/l is where the log is shipped to"]


def test_what_could_not_be_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    two = Store("postgresql://b/y", cluster=DestinationError("it is down"))
    found = compared(monkeypatch, Store("postgresql://a/x", cluster="7"), two)
    assert found.shared == []
    assert found.remarks == [
        "whether it is apart from postgresql://b/y could not be seen: it is down"
    ]
