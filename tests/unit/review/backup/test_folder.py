"""A backup in a folder, read as a store is."""

from __future__ import annotations

from pathlib import Path

import pytest
from backed_up import ORIGIN, backed_up, folder, key, log

from chained_logging import AuditLog
from chained_logging.errors import NotALog, Refused, ShipError
from chained_logging.format.record import EMPTY
from chained_logging.review.backup.folder import FolderBackup, head_of
from chained_logging.review.export import export_log
from chained_logging.sinks import open_sink

__all__ = ["folder", "key", "log"]  # fixtures


def test_it_holds_what_was_copied(log: Path, folder: Path) -> None:
    before = list(open_sink(log).records())
    done = backed_up(log, folder)
    store = FolderBackup(folder)
    assert store.origins() == [ORIGIN]
    assert list(store.records(ORIGIN)) == before
    assert list(store.records(ORIGIN, 5)) == before[5:]
    assert (
        store.head(ORIGIN) == (done.head_seq, done.head_hash) == (before[-1].seq, before[-1].hash)
    )
    assert [one.size for one in store.checkpoints(ORIGIN)]
    assert store.inspect(ORIGIN) == []
    assert store.path(ORIGIN).name == log.name


def test_what_is_not_there_is_said(tmp_path: Path, folder: Path) -> None:
    store = FolderBackup(folder)
    assert store.head(ORIGIN) == EMPTY
    with pytest.raises(ShipError, match="does not hold the log"):
        store.path(ORIGIN)
    with pytest.raises(Refused, match="chained-logging backup writes it"):
        store.write(ORIGIN, [], [])
    with pytest.raises(FileNotFoundError, match="is the disk mounted"):
        FolderBackup(tmp_path / "missing")


@pytest.mark.parametrize("name", ["a.jsonl", "z.jsonl"])
def test_of_two_files_of_one_log_the_one_that_is_further_counts(
    log: Path, folder: Path, name: str
) -> None:
    export_log(log, folder / name)
    with AuditLog(log, sign="follow") as opened:
        opened.note("log.read")
    done = backed_up(log, folder)
    store = FolderBackup(folder)
    assert store.path(ORIGIN).name == log.name
    assert store.head(ORIGIN) == (done.head_seq, done.head_hash)


def test_other_files_are_left_out(log: Path, folder: Path) -> None:
    backed_up(log, folder)
    (folder / "junk.jsonl").write_bytes(b"junk\n")
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "junk.db").write_bytes(b"junk" * 500)
    (folder / "folder.jsonl").mkdir()
    assert FolderBackup(folder).origins() == [ORIGIN]


def test_an_end_that_is_not_an_entry_is_said(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.db"):
        path = tmp_path / name
        path.write_bytes(b"junk\n" * 300)
        with pytest.raises(NotALog, match=name):
            head_of(path)
