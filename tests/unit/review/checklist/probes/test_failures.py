"""Failures of logging: events that wait, a shipper that is stuck, a log that was cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.ship.progress import Progress, write_progress


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_backlog_is_met_where_nothing_waits(path: Path) -> None:
    found = looked(recorded(path), "backlog")
    assert is_met(found)
    assert found.seen[0].where == f"{path}.spill"


def test_backlog_is_not_met_while_events_wait(path: Path) -> None:
    recorded(path)
    spill = Path(f"{path}.spill")
    spill.write_bytes(b"{}\n")
    spill.chmod(0o600)
    found = looked(path, "backlog")
    assert not is_met(found)
    assert "events wait" in found.sentence


def test_backlog_is_not_met_while_a_shipper_is_stuck(path: Path) -> None:
    recorded(path)
    write_progress(path, Progress("s3://bucket/logs", problem="the bucket is gone"))
    found = looked(path, "backlog")
    assert not is_met(found)
    assert "s3://bucket/logs" in found.sentence
    write_progress(path, Progress("s3://bucket/logs"))
    assert is_met(looked(path, "backlog"))


def test_backlog_of_a_copy_is_not_judged(folder: Path) -> None:
    path = recorded(folder / "audit.jsonl")
    copy = folder / "copy.jsonl"
    copy.write_bytes(path.read_bytes())
    assert looked(copy, "backlog").status is Status.UNSEEN


def test_losses_are_met_after_a_crash_and_not_after_a_rewrite(path: Path) -> None:
    harmless = {"action": "log.recover", "cause": "a torn line"}
    assert is_met(looked(recorded(path, notes=(harmless,)), "losses"))
    grave = {"action": "log.recover", "cause": "the last entry differs", "rewritten": True}
    found = looked(recorded(path, notes=(grave,)), "losses")
    assert not is_met(found)
    assert "--action log.recover" in (found.mend or "")


def test_what_mends_it_can_be_pasted(path: Path) -> None:
    recorded(path)
    write_progress(path, Progress("s3://bucket/a;true b", problem="the bucket is gone"))
    assert "--to 's3://bucket/a;true b'" in (looked(path, "backlog").mend or "")
