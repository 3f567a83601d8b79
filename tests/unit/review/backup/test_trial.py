"""A backup that is restored for a test: what differs is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from archived import moved
from backed_up import backed_up, folder, key, log, written

from chained_logging import AuditLog
from chained_logging.review.backup import trial as module
from chained_logging.review.backup.trial import Trial, opened, try_backup
from chained_logging.review.restore import restore
from chained_logging.sinks import open_sink

__all__ = ["folder", "key", "log"]  # fixtures


def tried(path: Path, folder: Path, **options: Path) -> Trial:
    with AuditLog(path, sign="follow", on_failure="raise") as opened:
        return try_backup(opened, str(folder), **options)


def recorded(path: Path) -> dict[str, object]:
    *_, last = open_sink(path).records()
    body = json.loads(last.body)
    assert body["action"] == "backup.test"
    context: dict[str, object] = body["context"]
    return context


def test_a_backup_that_is_behind_is_the_same(log: Path, folder: Path, tmp_path: Path) -> None:
    done = backed_up(log, folder)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    trial = tried(log, folder, scratch=scratch)
    assert (trial.result, trial.faults) == ("intact", [])
    assert (trial.entries, trial.head_seq, trial.head_hash) == (
        done.entries,
        done.head_seq,
        done.head_hash,
    )
    assert trial.behind == 1  # the entry of the backup itself
    context = recorded(log)
    assert (context["result"], context["entries"]) == ("intact", done.entries)
    assert not list(scratch.iterdir())


def test_a_front_that_the_log_moved_to_an_archive_is_no_fault(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    (tmp_path / "archive").mkdir()
    backed_up(path, folder)
    gone = moved(path, tmp_path / "archive")
    done = backed_up(path, folder)
    trial = tried(path, folder)
    assert (trial.result, trial.faults) == ("intact", [])
    assert (trial.entries, trial.head_hash) == (done.entries, done.head_hash)
    assert gone.entries > 0


def test_a_front_that_is_missing_without_a_word_is_a_fault(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    backed_up(path, folder)
    min(tmp_path.glob("audit.0*.jsonl")).unlink()
    trial = tried(path, folder)
    assert trial.result == "differs"
    assert trial.faults[0] == f"{folder}: entry 0 is there, and not in the log"


def test_the_scratch_folder_is_for_this_user_alone(
    log: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(log, folder)
    modes = []

    def looking(store: object, origin: str, target: Path, **options: object) -> object:
        modes.append(os.stat(target.parent).st_mode & 0o777)
        return restore(store, origin, target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "restore", looking)
    assert tried(log, folder, scratch=tmp_path).result == "intact"
    assert modes == [0o700]


def test_a_changed_byte_is_named(log: Path, folder: Path) -> None:
    backed_up(log, folder)
    path = folder / log.name
    if log.suffix == ".jsonl":
        path = sorted(folder.glob("audit.0*.jsonl"))[1]
    data = bytearray(path.read_bytes())
    at = data.index(b"10.0.0.1", len(data) // 3)
    data[at + 7 : at + 8] = b"7"
    path.write_bytes(data)
    trial = tried(log, folder)
    assert trial.result == "differs"
    assert any("edited: its hash is not that of its content" in fault for fault in trial.faults)
    context = recorded(log)
    assert context["result"] == "differs"
    assert "edited" in str(context["faults"])


def test_a_backup_that_lost_its_end_is_named(log: Path, folder: Path, tmp_path: Path) -> None:
    backed_up(log, folder)
    old = tmp_path / "old"
    old.mkdir()
    for path in folder.iterdir():
        (old / path.name).write_bytes(path.read_bytes())
    backed_up(log, folder)
    for path in old.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    trial = tried(log, folder)
    assert trial.result == "differs"
    assert any("were there, and are gone" in fault for fault in trial.faults)


def test_a_log_that_was_rewritten_differs_from_its_backup(
    log: Path, folder: Path, tmp_path: Path
) -> None:
    """The backup is intact: it is the log that somebody replaced."""
    backed_up(log, folder)
    with AuditLog(log, sign="follow", on_failure="raise") as opened_log:
        rows = list(opened_log.stored())
        changed = [row._replace(hash="0" * 64) if row.seq == 3 else row for row in rows]
        opened_log.stored = lambda start=0: iter(changed[start:])  # type: ignore[method-assign]
        trial = try_backup(opened_log, str(folder))
    assert trial.result == "differs"
    assert f"{folder}: entry 3 is another one there" in trial.faults


def test_an_empty_folder_is_not_a_backup(log: Path, folder: Path) -> None:
    trial = tried(log, folder)
    assert trial.result == "differs"
    assert "make a backup first" in trial.faults[0]
    with pytest.raises(FileNotFoundError):
        opened(str(folder / "missing"))
    with pytest.raises(ValueError, match="a destination is postgresql"):
        opened("gopher://host/x")
