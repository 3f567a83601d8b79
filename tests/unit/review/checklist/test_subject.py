"""What a checklist is about: the log, its configuration, and the stores that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import ORIGIN, configured, recorded

from chained_logging.review.checklist.subject import Subject


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return recorded(tmp_path / "audit.db")


def test_settings_count_for_the_configured_log_alone(log: Path, tmp_path: Path) -> None:
    configured(tmp_path, 'log = "audit.db"\nship = ["s3://b/p"]\nrequire_recorded_reads = true\n')
    settings = Subject(str(log)).settings
    assert settings["ship"] == ["s3://b/p"]
    assert settings["recorded"] is True
    other = recorded(tmp_path / "other.db")
    assert Subject(str(other)).settings == {}


def test_stores_are_those_given_and_configured_and_feeds_are_apart(
    log: Path, tmp_path: Path
) -> None:
    configured(tmp_path, 'log = "audit.db"\nship = ["s3://b/p", "https://siem.example/in"]\n')
    subject = Subject(str(log), stores=("postgresql://auditor@db/audit", "s3://b/p"))
    assert subject.urls == ("postgresql://auditor@db/audit", "s3://b/p")
    assert subject.feeds == ("https://siem.example/in",)


def test_a_copy_is_not_written_here(log: Path, tmp_path: Path) -> None:
    assert Subject(str(log)).written_here == log
    copy = tmp_path / "copy.db"
    copy.write_bytes(log.read_bytes())
    assert Subject(str(copy)).written_here is None


def test_the_origin_is_what_the_first_entry_says(log: Path) -> None:
    subject = Subject(str(log))
    try:
        assert subject.log_origin == ORIGIN
        assert subject.verdict.intact
        assert subject.age_of(99) is None
    finally:
        subject.close()


def test_a_store_that_does_not_answer_has_no_checkpoint(log: Path) -> None:
    subject = Subject(str(log), stores=("postgresql://nobody@127.0.0.1:1/audit",))
    try:
        assert subject.kept_checkpoints == {}
        assert subject.verdict.intact
    finally:
        subject.close()
    assert Subject("postgresql://u:secret@db/audit").given == "postgresql://db/audit"
