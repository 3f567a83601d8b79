"""What is done regularly leaves entries: met if one is recent and good, not met otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checklists import event, is_met, looked, recorded
from commands import run

from chained_logging.review.checklist.answer import Status

MADE = {"action": "backup.make", "destination": "/mnt/usb"}
OWN = {"watched": "watch.verify", "backed_up": "backup.test"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def note(action: str, **context: Any) -> dict[str, Any]:
    return {"action": action, "destination": "/mnt/usb", **context}


@pytest.mark.parametrize(("probe", "action"), OWN.items())
def test_an_entry_of_the_logs_own_shows_it(path: Path, probe: str, action: str) -> None:
    recorded(path, notes=(MADE, note(action)))
    found = looked(path, probe)
    assert is_met(found)
    assert found.seen[0].where.startswith(f"{path.name}, entry ")
    later = looked(path, probe, days_later=100)
    assert not is_met(later)
    assert "100 days ago" in later.sentence


@pytest.mark.parametrize(("probe", "action"), OWN.items())
def test_without_such_an_entry_it_was_not_seen_to_work(path: Path, probe: str, action: str) -> None:
    found = looked(recorded(path), probe)
    assert not is_met(found)
    assert (found.mend or "").startswith("chained-logging ")


@pytest.mark.parametrize(("probe", "action"), OWN.items())
def test_a_program_cannot_say_it(path: Path, probe: str, action: str) -> None:
    assert not is_met(looked(recorded(path, event(action)), probe))


@pytest.mark.parametrize("result", ["differs", "unreachable"])
def test_a_test_that_went_wrong_does_not_count(path: Path, result: str) -> None:
    good, bad = note("backup.test", result="intact"), note("backup.test", result=result)
    recorded(path, notes=(MADE, good))
    assert is_met(looked(path, "backed_up"))
    recorded(path, notes=(bad,))
    found = looked(path, "backed_up")
    assert not is_met(found)
    assert found.sentence.endswith(result)


def test_a_backup_in_the_same_place_does_not_count(path: Path) -> None:
    why = "both are on the disk sda"
    recorded(path, notes=(MADE, note("backup.test", result="intact", same_place=why)))
    found = looked(path, "backed_up")
    assert not is_met(found)
    assert why in found.sentence
    recorded(path, notes=({**MADE, "same_place": why}, note("backup.test", result="intact")))
    assert not is_met(looked(path, "backed_up"))


def test_a_backup_that_may_be_in_the_same_place_is_not_met(path: Path) -> None:
    doubt = "whether it is apart from s3://logs could not be seen"
    recorded(path, notes=(MADE, note("backup.test", result="intact", remarks=[doubt])))
    found = looked(path, "backed_up")
    assert found.status is Status.UNSEEN
    assert doubt in found.sentence


def test_a_real_backup_is_what_its_commands_say(path: Path, folder: Path) -> None:
    recorded(path)
    (folder / "copy").mkdir()
    run("backup", path, folder / "copy", "--same-place-anyway")
    run("backup-test", path, folder / "copy")
    found = looked(path, "backed_up")
    assert not is_met(found)
    assert "would be lost together with the log" in found.sentence
    assert found.seen[1].value == "intact"


def test_an_old_backup_does_not_count(path: Path) -> None:
    recorded(path, notes=(MADE, note("backup.test", result="intact")))
    found = looked(path, "backed_up", days_later=40)
    assert not is_met(found)
    assert "a backup in /mnt/usb" in found.sentence


def test_a_backup_that_the_log_did_not_make_does_not_count(path: Path) -> None:
    elsewhere = note("backup.test", result="intact", destination="/elsewhere")
    assert not is_met(looked(recorded(path, notes=(MADE, elsewhere)), "backed_up"))
