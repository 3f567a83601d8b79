"""FHIR AuditEvents, validated by the models of ``fhir.resources``."""

from __future__ import annotations

from typing import Any

import pytest
from chains import read_json
from fhir.resources import auditevent as r5
from fhir.resources.R4B import auditevent as r4  # as in R4
from format_entries import EVENTS, ORIGIN, vectors

from chained_logging import AuditEntry
from chained_logging.formats import fhir


def valid(model: Any, data: bytes) -> dict[str, Any]:
    """Check an AuditEvent, and that the model keeps every element of it."""
    assert data.count(b"\n") == 1
    given = read_json(data)
    event = model.AuditEvent.model_validate(given)
    assert _keys(read_json(event.model_dump_json(exclude_none=True))) == _keys(given)
    return dict(given)


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _keys(each) for name, each in value.items()}
    return [_keys(each) for each in value] if isinstance(value, list) else None


@pytest.mark.parametrize("name", ["genesis", *EVENTS])
def test_each_event_is_valid_in_both_releases(entries: dict[str, AuditEntry], name: str) -> None:
    assert valid(r4, fhir.encode_r4(entries[name], ORIGIN))["id"] == entries[name].id
    assert valid(r5, fhir.encode_r5(entries[name], ORIGIN))["id"] == entries[name].id


def test_the_vectors_are_valid() -> None:
    for entry in vectors():
        valid(r4, fhir.encode_r4(entry, ""))
        valid(r5, fhir.encode_r5(entry, ""))


@pytest.mark.parametrize(
    ("name", "code", "action"),
    [
        ("genesis", "110101", "R"),
        ("read", "110110", "R"),
        ("login", "110114", "E"),
        ("export", "110106", "R"),
        ("user", "110100", "C"),
        ("failed", "110100", "U"),
        ("for", "110100", "D"),
        ("other", "110100", "E"),
    ],
)
def test_an_entry_has_its_type(
    entries: dict[str, AuditEntry], name: str, code: str, action: str
) -> None:
    event = fhir.r4(entries[name], ORIGIN)
    assert (event["type"]["code"], event["action"]) == (code, action)
    event = fhir.r5(entries[name], ORIGIN)
    assert (event["category"][0]["coding"][0]["code"], event["action"]) == (code, action)


def test_the_fields_are_where_a_reader_of_r4_looks(entries: dict[str, AuditEntry]) -> None:
    event = fhir.r4(entries["for"], ORIGIN)
    actor, principal = event["agent"]
    assert actor["who"]["identifier"]["value"] == "ann"
    assert actor["network"] == {"address": "10.0.0.1", "type": "2"}
    assert (actor["requestor"], principal["requestor"]) == (True, False)
    assert principal["who"]["identifier"]["value"] == "carol"
    assert event["entity"][0]["what"]["identifier"] == {"type": {"text": "note"}, "value": "1"}
    assert event["source"]["observer"]["identifier"]["value"] == ORIGIN
    assert event["period"]["start"] == entries["for"].timestamp
    read = fhir.r4(entries["read"], ORIGIN)
    assert read["purposeOfEvent"] == [{"text": "treatment"}]
    assert read["entity"][0]["role"]["display"] == "Patient"


@pytest.mark.parametrize(("name", "code"), [("read", "0"), ("denied", "4"), ("failed", "8")])
def test_the_outcome_is_that_of_the_entry(
    entries: dict[str, AuditEntry], name: str, code: str
) -> None:
    assert fhir.r4(entries[name], ORIGIN)["outcome"] == code
    assert fhir.r5(entries[name], ORIGIN)["outcome"]["code"]["code"] == code


def test_an_unknown_outcome_is_not_invented(entries: dict[str, AuditEntry]) -> None:
    assert "outcome" not in fhir.r4(entries["incomplete"], ORIGIN)
    assert "outcome" not in fhir.r5(entries["incomplete"], ORIGIN)


def test_the_stored_line_comes_back(entries: dict[str, AuditEntry]) -> None:
    for entry in entries.values():
        assert fhir.raw(read_json(fhir.encode_r4(entry, ORIGIN))).encode() == entry.line
        assert fhir.raw(read_json(fhir.encode_r5(entry, ORIGIN))).encode() == entry.line
