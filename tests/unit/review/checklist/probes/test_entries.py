"""What the log's own entries show: complete, without silences, and read on record."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import configured, event, is_met, looked, recorded

from chained_logging.review.archive.moved import LastMoved
from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes.entries import in_archive
from chained_logging.review.checklist.subject import Subject

READ = {"action": "audit_log.read", "on_behalf_of": "auditor", "how": "query"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fields_are_met_by_complete_entries(path: Path) -> None:
    found = looked(recorded(path), "fields")
    assert is_met(found)
    assert [piece.value for piece in found.seen] == ["1", "0"]


def test_fields_are_not_met_by_an_entry_without_an_actor(path: Path) -> None:
    found = looked(recorded(path, event(), {"action": "read"}), "fields")
    assert not is_met(found)
    assert "--incomplete" in (found.mend or "")


def test_fields_are_not_met_where_no_program_logs(path: Path) -> None:
    found = looked(recorded(path, event(days_ago=100)), "fields")
    assert not is_met(found)
    assert "no program logged anything" in found.sentence


def test_recording_is_met_without_a_silence_and_not_a_day_later(path: Path) -> None:
    recorded(path, *(event(days_ago=n / 2) for n in reversed(range(10))))
    assert is_met(looked(path, "recording"))
    later = looked(path, "recording", days_later=2)
    assert not is_met(later)
    assert "heartbeat" in (later.mend or "")


def test_recording_is_not_met_with_a_silence_that_nobody_explains(path: Path) -> None:
    found = looked(recorded(path, event(days_ago=9), event(days_ago=3), event()), "recording")
    assert not is_met(found)
    assert found.sentence.startswith("nothing was recorded for 6 days")


def test_beginnings_are_met_by_log_open(path: Path) -> None:
    assert is_met(looked(recorded(path), "beginnings"))


def test_beginnings_are_not_met_by_a_log_without_its_front(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl", event(), event())
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    assert not is_met(looked(path, "beginnings"))


def test_refusals_and_administrators_are_met_once_seen(path: Path) -> None:
    recorded(path, event(result="denied"), event(actor_type="admin"))
    assert is_met(looked(path, "refusals"))
    assert is_met(looked(path, "administrators"))


def test_refusals_and_administrators_that_were_never_seen_are_not_met(path: Path) -> None:
    recorded(path)
    for probe in ("refusals", "administrators"):
        found = looked(path, probe)
        assert found.status is Status.UNSEEN
        assert found.mend


def test_reads_are_met_if_they_must_be_recorded_and_one_was(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\nrequire_recorded_reads = true\n')
    recorded(path, notes=(READ,))
    found = looked(path, "reads")
    assert is_met(found)
    assert "by auditor" in found.seen[0].value


def test_reads_are_not_met_where_none_was_recorded(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\nrequire_recorded_reads = true\n')
    found = looked(recorded(path), "reads")
    assert not is_met(found)
    assert "not seen to work" in found.sentence


def test_reads_are_not_met_where_they_need_not_be_recorded(path: Path) -> None:
    found = looked(recorded(path, notes=(READ,)), "reads")
    assert not is_met(found)
    assert found.mend == "set require_recorded_reads = true in chained-logging.toml"


def test_reads_of_a_copy_cannot_be_judged(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl", notes=(READ,))
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(path.read_bytes())
    assert looked(Subject(str(copy)), "reads").status is Status.UNSEEN


def test_a_program_cannot_pose_as_a_reader(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\nrequire_recorded_reads = true\n')
    recorded(path, event("audit_log.read"))
    assert not is_met(looked(path, "reads"))


def test_what_mends_it_can_be_pasted() -> None:
    found = in_archive(Subject("audit.jsonl"), LastMoved("/srv/a; true", 6))
    assert found.mend == "chained-logging verify audit.jsonl --archive '/srv/a; true'"
