"""Intact, signed, and vouched for from outside; each is lost when its part is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import event, is_met, looked, recorded

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.subject import Subject
from chained_logging.review.verdict import Evidence
from chained_logging.sinks import open_sink


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_intact_is_met_and_not_after_an_edit(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl")
    assert is_met(looked(path, "intact"))
    path.write_bytes(path.read_bytes().replace(b"user-1", b"user-2"))
    found = looked(path, "intact")
    assert not is_met(found)
    assert found.mend == f"chained-logging verify {path}"


def test_signed_is_met_by_a_checkpoint(path: Path) -> None:
    found = looked(recorded(path), "signed")
    assert is_met(found)
    assert "give --public-key" in found.sentence


def test_signed_is_met_without_a_doubt_by_the_key_that_was_given(path: Path) -> None:
    key = PrivateKey.generate()
    recorded(path, key=key)
    evidence = Evidence(public_key=Subject(str(path)).verdict.report.public_key)
    found = looked(Subject(str(path), evidence=evidence), "signed")
    assert is_met(found)
    assert "--public-key" not in found.sentence


def test_signed_is_not_met_by_an_unsigned_log(path: Path) -> None:
    found = looked(recorded(path, key=None), "signed")
    assert not is_met(found)
    assert "keygen" in (found.mend or "")


def test_signed_is_not_met_by_entries_that_wait_too_long(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl", event(days_ago=9))
    key = PrivateKey.generate()
    with AuditLog(tmp_path / "late.jsonl", key=key) as log:
        log.checkpoint()
        log.append(**event(days_ago=3))
        log.flush()
        found = looked(tmp_path / "late.jsonl", "signed")
    assert not is_met(found)
    assert "3 days old" in found.sentence
    assert is_met(looked(path, "signed"))


def test_outside_is_not_met_by_a_log_alone(path: Path) -> None:
    found = looked(recorded(path), "outside")
    assert not is_met(found)
    assert "--checkpoint" in (found.mend or "")


def test_outside_is_met_by_a_checkpoint_that_is_kept_elsewhere(path: Path, folder: Path) -> None:
    recorded(path)
    (newest, *_) = open_sink(path).recent_checkpoints()
    kept = folder / "kept"
    kept.write_text(newest.note)
    found = looked(Subject(str(path), evidence=Evidence(checkpoints=[str(kept)])), "outside")
    assert is_met(found)
    assert any(piece.where == str(kept) for piece in found.seen)


def test_outside_is_not_met_by_an_old_checkpoint(path: Path, folder: Path) -> None:
    kept = folder / "kept"
    with AuditLog(path, key=PrivateKey.generate()) as log:
        log.checkpoint()
        (newest, *_) = open_sink(path).recent_checkpoints()
        kept.write_text(newest.note)
        log.append(**event(days_ago=2))
        log.checkpoint()
    found = looked(Subject(str(path), evidence=Evidence(checkpoints=[str(kept)])), "outside")
    assert not is_met(found)
    assert "2 days old" in found.sentence


def test_outside_cannot_be_judged_for_a_log_that_contradicts_it(folder: Path) -> None:
    one, other = recorded(folder / "one.jsonl"), recorded(folder / "other.jsonl")
    (newest, *_) = open_sink(one).recent_checkpoints()
    (folder / "kept").write_text(newest.note)
    evidence = Evidence(checkpoints=[str(folder / "kept")])
    assert looked(Subject(str(other), evidence=evidence), "outside").status is Status.UNSEEN
