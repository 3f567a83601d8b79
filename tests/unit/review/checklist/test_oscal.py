"""OSCAL assessment results, by NIST's own schema; nothing is satisfied unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from checklist_answers import checklist
from checklists import recorded
from oscal_schema import faults

from chained_logging.review.checklist.checklist import gone_through
from chained_logging.review.checklist.clauses import NAMES
from chained_logging.review.checklist.oscal import document
from chained_logging.review.verdict import Evidence


def result(found: dict[str, Any]) -> dict[str, Any]:
    (one,) = found["assessment-results"]["results"]
    return dict(one)


@pytest.mark.parametrize("name", NAMES)
def test_every_standard_fits_the_schema(name: str, tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.db")
    found = document(gone_through(str(path), name, None, (), Evidence()))
    assert faults(json.loads(json.dumps(found))) == []
    ids = [one["control-id"] for one in selected(found)]
    assert len(ids) == len(set(ids)) == len(result(found)["findings"])


def selected(found: dict[str, Any]) -> list[dict[str, str]]:
    (selection,) = result(found)["reviewed-controls"]["control-selections"]
    return list(selection["include-controls"])


def test_answers_of_every_kind_fit_the_schema() -> None:
    assert faults(document(checklist("hipaa"))) == []


def test_the_schema_is_asked_for_real() -> None:
    found = document(checklist())
    result(found)["findings"][0]["target"]["status"]["state"] = "met"
    result(found)["reviewed-controls"]["control-selections"][0]["include-controls"] = [
        {"control-id": "10.6.1"}
    ]
    found["assessment-results"]["uuid"] = "no"
    assert len(faults(found)) == 3


def test_only_what_is_met_is_satisfied_and_the_rest_says_why() -> None:
    states = {
        one["title"]: (one["target"]["status"]["state"], one["target"]["status"]["reason"])
        for one in result(document(checklist()))["findings"]
    }
    assert states == {
        "point 1": ("satisfied", "pass"),
        "10.6.1": ("satisfied", "pass"),
        "10.6.2": ("not-satisfied", "fail"),
        "10.6.3": ("not-satisfied", "other"),
        "10.7.3": ("not-satisfied", "other"),
    }
    last = result(document(checklist()))["findings"][-1]
    remarks = last["target"]["status"]["remarks"]
    assert remarks == "Not checkable from here. Nobody can see from here: your people."


def test_evidence_is_an_observation_that_findings_share() -> None:
    found = result(document(checklist()))
    titles = {one["uuid"]: one["description"] for one in found["observations"]}
    assert len(titles) == 3
    shared = [one["related-observations"][-1]["observation-uuid"] for one in found["findings"][:3]]
    assert {titles[uuid] for uuid in shared} == {"the clock is synchronised"}
    (evidence,) = found["observations"][0]["relevant-evidence"]
    assert "chronyc tracking" in evidence["description"]
    assert found["observations"][1]["remarks"] == "To mend it: start chrony"
