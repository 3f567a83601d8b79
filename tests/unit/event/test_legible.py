"""Whether the fields of an entry are such as a log writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditEntry, AuditLog
from chained_logging.event.legible import is_legible, require_legible
from chained_logging.format.canonical import canonical


def entry(path: Path, **changes: Any) -> AuditEntry:
    with AuditLog(path) as log:
        made = log.append("read", **EVENT)
        *_, record = log.records()
    assert made
    return AuditEntry(canonical({**AuditEntry(*record[1:]).fields, **changes}), record.hash)


def test_what_a_log_writes_is_legible(tmp_path: Path) -> None:
    require_legible(entry(tmp_path / "audit.jsonl"))
    assert all(is_legible(entry(tmp_path / "audit.jsonl").fields) for _ in range(2))


@pytest.mark.parametrize(
    "changes",
    [
        {"actor_id": 7},
        {"timestamp": None},
        {"ip_address": []},
        {"resources": {}},
        {"resources": [{"type": "a"}]},
        {"changed_fields": "email"},
        {"context": None},
        {"context": {"invalid": 1}},
    ],
    ids=str,
)
def test_a_field_of_another_type_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=f"entry 1 was not written by a log .{next(iter(changes))}"
    ):
        require_legible(entry(tmp_path / "audit.jsonl", **changes))
    is_legible(entry(tmp_path / "audit.jsonl").fields)  # it remembers what is right
    assert not is_legible(entry(tmp_path / "audit.jsonl", **changes).fields)
    assert is_legible(entry(tmp_path / "audit.jsonl", resources=[{"type": "a", "id": "b"}]).fields)
    assert not is_legible(entry(tmp_path / "audit.jsonl", resources=[{"type": "a"}]).fields)


@pytest.mark.parametrize("body", [b"[]", b"{", b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_named(body: bytes) -> None:
    with pytest.raises(ValueError, match="entry without a seq is not a JSON object"):
        require_legible(AuditEntry(body, "0" * 64))
