"""Whether entries are kept as long as they must be. See test_s3.py for stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import event, is_met, looked, recorded


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut(path: Path, first: int) -> Path:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[first:]))
    return path


def test_kept_is_not_met_where_no_store_keeps_anything(path: Path) -> None:
    found = looked(recorded(path), "kept 365")
    assert not is_met(found)
    assert "--retention 365d" in (found.mend or "")


def test_kept_is_not_met_by_a_log_without_its_front(folder: Path) -> None:
    path = cut(recorded(folder / "audit.jsonl", event(), event()), 1)
    found = looked(path, "kept 365")
    assert not is_met(found)
    assert "does not reach back" in found.sentence


def test_at_hand_is_met_by_a_whole_log_and_not_by_one_with_a_hole(folder: Path) -> None:
    path = recorded(folder / "audit.jsonl", event(days_ago=100), *(event() for _ in range(5)))
    assert is_met(looked(path, "at_hand 92"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert not is_met(looked(path, "at_hand 92"))


def test_at_hand_is_not_met_where_the_last_months_are_missing(path: Path) -> None:
    assert not is_met(looked(recorded(path), "at_hand 92", days_later=100))


def test_ends_is_met_once_retention_removed_something(path: Path) -> None:
    assert not is_met(looked(recorded(path), "ends"))
    recorded(path, notes=({"action": "retention.apply"},))
    assert is_met(looked(path, "ends"))
    assert not is_met(looked(path, "ends", days_later=500))
