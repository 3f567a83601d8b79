"""Probes by name. One that cannot look says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.probes.every import PROBES
from chained_logging.review.checklist.subject import Subject


@pytest.mark.parametrize("name", PROBES)
def test_no_probe_calls_met_what_is_not_there(name: str, tmp_path: Path) -> None:
    found = looked(Subject(str(tmp_path / "missing.db")), name)
    assert found.probe == name
    assert found.status is not Status.MET


@pytest.mark.parametrize("name", PROBES)
def test_each_probe_looks_without_a_number_of_days(name: str, tmp_path: Path) -> None:
    assert looked(recorded(tmp_path / "audit.db"), name).sentence


def test_a_broken_configuration_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = recorded(tmp_path / "audit.db")
    (tmp_path / "chained-logging.toml").write_text("wrong = true\n")
    found = looked(path, "key")
    assert found.status is Status.UNSEEN
    assert "wrong is not a setting" in found.sentence
