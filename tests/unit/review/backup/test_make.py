"""A backup is made, verified where it arrived, and recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from archived import moved
from backed_up import backed_up, elsewhere, folder, key, log, written
from chains import EVENT
from checklists import looked

from chained_logging import AuditLog, verify
from chained_logging.errors import BrokenLog, Refused
from chained_logging.keys import PrivateKey
from chained_logging.review.backup.apart import NotApart
from chained_logging.review.backup.make import make_backup
from chained_logging.review.backup.trial import try_backup
from chained_logging.review.checklist.answer import Status
from chained_logging.review.retention.survey import Survey
from chained_logging.sinks import open_sink

__all__ = ["elsewhere", "folder", "key", "log"]  # fixtures


def last_context(path: Path) -> tuple[str, dict[str, object]]:
    *_, last = open_sink(path).records()
    body = json.loads(last.body)
    return body["action"], body["context"]


def test_the_log_records_what_was_made(log: Path, elsewhere: Path) -> None:
    *_, head = open_sink(log).records()
    with AuditLog(log, sign="follow") as opened:
        done = make_backup(opened, str(elsewhere))
    action, context = last_context(log)
    assert action == "backup.make"
    assert context["destination"] == str(elsewhere)
    assert (context["entries"], context["head_seq"]) == (head.seq + 1, head.seq)
    assert context["head_hash"] == head.hash == done.head_hash
    assert context["checkpoint_size"] == head.seq + 1
    assert "same_place" not in context
    assert verify(log).intact
    assert verify(elsewhere / log.name, to_hash=head.hash).intact


def test_a_copy_beside_the_log_is_refused_or_said_to_be_one(log: Path, folder: Path) -> None:
    with AuditLog(log, sign="follow") as opened:
        with pytest.raises(NotApart, match="same file system"):
            make_backup(opened, str(folder))
        assert not list(folder.iterdir())
        make_backup(opened, str(folder), same_place=True)
    _, context = last_context(log)
    assert "same file system" in str(context["same_place"])


def test_a_copy_never_takes_the_place_of_the_log(log: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(log.parent)
    with AuditLog(log, sign="follow") as opened:
        before = os.stat(log).st_ino
        for place in (log.parent, tmp_path / "link"):
            with pytest.raises(NotApart, match="the folder of the log itself"):
                make_backup(opened, str(place), same_place=True)
        opened.append("read", **EVENT)
    assert os.stat(log).st_ino == before
    assert not list(log.parent.glob(".*"))
    assert verify(log).intact


def test_the_public_keys_are_there_and_the_private_one_is_not(
    log: Path, folder: Path, key: PrivateKey
) -> None:
    backed_up(log, folder)
    (keys,) = folder.glob("*.vkey")
    first = keys.read_text().strip()
    assert verify(folder / log.name, public_key=first).pinned
    assert not list(folder.glob("*.key"))


def test_a_repeat_goes_on_and_needs_no_progress(log: Path, folder: Path) -> None:
    first = backed_up(log, folder)
    second = backed_up(log, folder)
    assert second.entries == first.entries + 1  # with the entry of the first
    assert not list(log.parent.glob("*.ship-*"))


def test_a_log_that_was_rolled_back_does_not_replace_its_backup(
    log: Path, folder: Path, tmp_path: Path, key: PrivateKey
) -> None:
    backed_up(log, folder)
    there = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = tmp_path / "other" / log.name
    other.parent.mkdir()
    written(other, 2, key=key)
    with pytest.raises(Refused, match=r"holds \d+ entries and the log \d+: the log was cut"):
        backed_up(other, folder)
    written(other, 60, key=key)
    with pytest.raises(Refused, match=r"holds another entry \d+ than the log"):
        backed_up(other, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == there


def test_a_log_that_was_edited_does_not_replace_its_backup(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 20, max_bytes=None)
    backed_up(path, folder)
    there = (folder / "audit.jsonl").read_bytes()
    data = path.read_bytes().replace(b"10.0.0.1", b"10.0.0.2", 1)
    path.write_bytes(data)
    with pytest.raises(BrokenLog, match=r"the copy is not intact: entry 1: edited"):
        backed_up(path, folder)
    assert (folder / "audit.jsonl").read_bytes() == there
    assert not list(folder.glob(".*"))


def test_what_the_log_no_longer_holds_is_no_fault(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    min(tmp_path.glob("audit.0*.jsonl")).unlink()
    done = backed_up(path, folder)
    assert done.head_seq + 1 > done.entries > 0
    front = done.head_seq + 1 - done.entries
    (remark,) = (one for one in done.remarks if "proves" in one)
    assert remark.startswith(f"the copy begins with entry {front}, as the log does")
    assert remark in last_context(path)[1]["remarks"]  # type: ignore[operator]


def test_a_front_in_an_archive_needs_no_remark(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    (tmp_path / "archive").mkdir()
    moved(path, tmp_path / "archive")
    assert not [one for one in backed_up(path, folder).remarks if "proves" in one]


def test_a_damaged_segment_is_said(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path / "audit.jsonl", 30)
    backed_up(path, folder)
    first = sorted(folder.glob("audit.0*.jsonl"))[1]
    first.write_bytes(first.read_bytes().replace(b"10.0.0.1", b"10.0.0.2", 1))
    done = backed_up(path, folder)
    assert f"{first} was changed since: it was copied again" in done.remarks
    assert verify(folder / "audit.jsonl").intact


def test_retention_counts_only_a_backup_that_is_apart(
    log: Path, folder: Path, elsewhere: Path
) -> None:
    backed_up(log, folder)
    survey = Survey()
    survey.read(open_sink(log))
    assert survey.backups == {}
    done = backed_up(log, elsewhere)
    survey.read(open_sink(log))
    (made,) = survey.backups.values()
    assert (made.destination, made.seq, made.hash) == (
        str(elsewhere),
        done.head_seq,
        done.head_hash,
    )


def test_the_checklist_counts_only_a_backup_that_is_apart(
    log: Path, folder: Path, elsewhere: Path
) -> None:
    """What the entry about a test says is what the checklist reads."""
    for place, status in ((folder, Status.NOT_MET), (elsewhere, Status.UNSEEN)):
        backed_up(log, place)
        with AuditLog(log, sign="follow") as opened:
            try_backup(opened, str(place))
        found = looked(log, "backed_up")
        assert found.status is status, found
    assert "is in memory" in found.sentence
