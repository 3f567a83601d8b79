"""Alerts: somebody looks, somebody is told, somebody answers; not met once one of them stops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checklists import event, is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.sinks import open_sink

FINDING: dict[str, Any] = {
    "rule": "spike", "severity": "high", "subject": "user-1", "entries": [1], "count": 1,
    "first": "2026-01-01T00:00:00.000000Z", "last": "2026-01-01T00:00:00.000000Z",
    "sentence": "user-1 read more than ever",
}  # fmt: skip
RAISED = {"action": "alert.raise", **FINDING}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def position(path: Path, seq: int) -> None:
    """Keep that a detector looked up to an entry."""
    records = {record.seq: record.hash for record in open_sink(path).records()}
    file = Path(f"{path}.alerts")
    file.write_text(json.dumps({"spikes": [seq, records[seq]]}))
    file.chmod(0o600)


def raised(path: Path) -> int:
    """Raise an alert, and return its number."""
    recorded(path, notes=(RAISED,))
    return max(record.seq for record in open_sink(path).records())


def test_detection_is_met_while_detectors_keep_up(path: Path) -> None:
    recorded(path, event(), event())
    position(path, 1)
    assert is_met(looked(path, "detection"))
    later = looked(path, "detection", days_later=2)
    assert not is_met(later)
    assert "--follow" in (later.mend or "")


def test_detection_is_not_met_where_nobody_looks(path: Path) -> None:
    found = looked(recorded(path), "detection")
    assert not is_met(found)
    assert found.sentence == "no detector looked at the log"


def test_detection_is_not_met_by_a_look_at_another_log(path: Path, folder: Path) -> None:
    other = recorded(folder / "other.jsonl")
    position(other, 1)
    Path(f"{other}.alerts").rename(f"{path}.alerts")
    assert not is_met(looked(recorded(path), "detection"))


def test_detection_of_a_copy_is_not_judged(folder: Path) -> None:
    copy = folder / "copy.jsonl"
    copy.write_bytes(recorded(folder / "audit.jsonl").read_bytes())
    assert looked(copy, "detection").status is Status.UNSEEN


def test_delivery_is_met_once_a_target_took_an_alert(path: Path) -> None:
    seq = raised(path)
    recorded(path, notes=({"action": "alert.deliver", "alert": seq, "target": "smtp://mail"},))
    found = looked(path, "delivery")
    assert is_met(found)
    assert found.sentence.endswith("to smtp://mail")


def test_delivery_is_not_met_while_a_target_takes_none(path: Path) -> None:
    seq = raised(path)
    failed = {"action": "alert.undelivered", "alert": seq, "target": "smtp://mail"}
    recorded(path, notes=(failed,))
    found = looked(path, "delivery")
    assert not is_met(found)
    assert found.sentence == "smtp://mail did not take alerts"
    recorded(path, notes=({**failed, "action": "alert.deliver"},))
    assert is_met(looked(path, "delivery"))


def test_delivery_is_not_met_if_alerts_reach_nobody(path: Path) -> None:
    raised(path)
    assert looked(path, "delivery").status is Status.UNSEEN  # it is fresh
    assert not is_met(looked(path, "delivery", days_later=2))


def test_delivery_that_was_never_needed_was_not_seen(path: Path) -> None:
    assert looked(recorded(path), "delivery").status is Status.UNSEEN


def test_alerts_are_answered_in_time(path: Path) -> None:
    seq = raised(path)
    assert is_met(looked(path, "answered"))  # it is fresh
    late = looked(path, "answered", days_later=8)
    assert not is_met(late)
    assert f" {seq} --reason" in (late.mend or "")
    recorded(path, notes=({"action": "alert.acknowledge", "alert": seq},))
    assert is_met(looked(path, "answered", days_later=8))


def test_a_program_cannot_acknowledge(path: Path) -> None:
    seq = raised(path)
    recorded(path, event("alert.acknowledge", context={"alert": seq}))
    assert not is_met(looked(path, "answered", days_later=8))


def test_without_an_alert_none_had_to_be_answered(path: Path) -> None:
    assert looked(recorded(path), "answered").status is Status.UNSEEN
