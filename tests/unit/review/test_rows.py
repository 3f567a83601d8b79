"""What a person sees of an entry in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chains import EVENT

from chained_logging import AuditEntry, AuditLog
from chained_logging.review.rows import HEADS, cells, more


def entry(tmp_path: Path, **fields: Any) -> AuditEntry:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        made = log.append("read", **{**EVENT, **fields})
    assert made is not None
    return made


def test_each_column_has_its_cell(tmp_path: Path) -> None:
    made = entry(tmp_path)
    assert dict(zip(HEADS, cells(made), strict=True)) == {
        "seq": "1",
        "timestamp": made.timestamp,
        "actor": "user-1",
        "action": "read",
        "resource": "patient_record/456",
        "result": "success",
        "address": "10.0.0.1",
    }


def test_who_it_was_says_the_type_and_whom_they_acted_for(tmp_path: Path) -> None:
    made = entry(tmp_path, actor="cron", actor_type="service", on_behalf_of="ann", ip=None)
    assert cells(made)[2] == "cron (service) for ann"
    assert cells(made)[-1] == "-"
    assert cells(entry(tmp_path, on_behalf_of="ann"))[2] == "user-1 for ann"


def test_further_resources_are_counted(tmp_path: Path) -> None:
    assert more(entry(tmp_path)) == ""
    assert more(entry(tmp_path, resources=["a/1", "b/2"])) == " +2"
