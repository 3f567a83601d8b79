"""The formats by name, and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from format_entries import ORIGIN

from chained_logging import AuditEntry
from chained_logging.formats.table import FORMATS, stored_line

WITH_LINE = ["ocsf", "ecs", "fhir", "fhir-r5"]


def test_what_holds_the_stored_line_says_so() -> None:
    assert [name for name, form in FORMATS.items() if form.raw] == WITH_LINE


@pytest.mark.parametrize("name", WITH_LINE)
def test_what_comes_back_is_the_log_and_verifies(
    entries: dict[str, AuditEntry], name: str, tmp_path: Path
) -> None:
    back = tmp_path / "back.jsonl"
    encoded = [FORMATS[name].encode(entry, ORIGIN) for entry in entries.values()]
    back.write_bytes(b"".join(stored_line(each) + b"\n" for each in encoded))
    assert back.read_bytes() == b"".join(entry.line + b"\n" for entry in entries.values())
    assert "INTACT" in run("verify", back)


@pytest.mark.parametrize("name", WITH_LINE)
def test_a_line_that_was_edited_is_refused(entries: dict[str, AuditEntry], name: str) -> None:
    entry = entries["read"]
    edited = AuditEntry(entry.body.replace(b"treatment", b"curiosity"), entry.hash)
    with pytest.raises(ValueError, match="hash of the stored line is not that"):
        stored_line(FORMATS[name].encode(edited, ORIGIN))


@pytest.mark.parametrize("other", [{}, [], 7, {"raw_data": 1, "event": 2}, {"entity": [{}]}])
def test_other_json_is_refused(other: object) -> None:
    with pytest.raises(ValueError, match="stored line"):
        stored_line(json.dumps(other).encode())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"actor_id":"ann"', b'"actor_id":{}'),
        (b'"resources":[', b'"resources":[1,'),
        (b'"timestamp":"2', b'"timestamp":"x'),
    ],
)
def test_an_entry_that_no_log_wrote_is_named(
    entries: dict[str, AuditEntry], name: str, old: bytes, new: bytes
) -> None:
    entry = entries["many"]
    assert old in entry.body
    with pytest.raises(ValueError, match=f"entry {entry.seq} was not written by a log"):
        FORMATS[name].encode(AuditEntry(entry.body.replace(old, new), entry.hash), ORIGIN)
