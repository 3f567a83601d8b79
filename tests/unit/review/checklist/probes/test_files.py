"""File modes, of the log and of its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import configured, is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.subject import Subject


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o700)
    return tmp_path


def test_modes_are_met_as_a_log_is_made(path: Path) -> None:
    found = looked(recorded(path), "modes")
    assert is_met(found)
    assert {Path(piece.where).name for piece in found.seen} >= {path.name, f"{path.name}.lock"}


@pytest.mark.parametrize(("mode", "mend"), [(0o644, "0640"), (0o660, "0640")])
def test_modes_are_not_met_if_others_may_read_or_change_the_log(
    path: Path, mode: int, mend: str
) -> None:
    recorded(path).chmod(mode)
    found = looked(path, "modes")
    assert not is_met(found)
    assert found.mend == f"chmod {mend} {path}"


def test_a_group_may_read(path: Path) -> None:
    recorded(path).chmod(0o640)
    assert is_met(looked(path, "modes"))


def test_modes_are_not_met_by_an_open_sealed_segment(folder: Path) -> None:
    path = recorded(folder / "audit.jsonl")
    sealed = folder / "audit.000000.jsonl"
    sealed.write_text("")
    sealed.chmod(0o644)
    assert not is_met(looked(path, "modes"))


def test_modes_are_not_met_in_a_folder_that_others_may_write_to(path: Path, folder: Path) -> None:
    recorded(path)
    folder.chmod(0o777)
    found = looked(path, "modes")
    assert not is_met(found)
    assert found.mend == f"chmod go-w {folder}"


def test_the_files_of_a_store_are_elsewhere() -> None:
    assert looked(Subject("s3://bucket/prefix"), "modes").status is Status.UNSEEN


def test_the_key_is_for_its_owner_alone(path: Path, folder: Path) -> None:
    configured(folder, f'log = "{path}"\nkey = "audit.key"\n')
    recorded(path)
    key = folder / "audit.key"
    key.write_text("secret")
    key.chmod(0o600)
    assert is_met(looked(path, "key"))
    key.chmod(0o640)
    found = looked(path, "key")
    assert not is_met(found)
    assert found.mend == f"chmod 0600 {key}"
    key.unlink()
    assert looked(path, "key").status is Status.UNSEEN


def test_a_key_that_is_not_configured_is_not_judged(path: Path) -> None:
    assert looked(recorded(path), "key").status is Status.UNSEEN
