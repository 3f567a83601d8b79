"""OCSF Compliance Findings, by OCSF's own schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checklist_answers import checklist
from checklists import recorded
from ocsf_schema import faults

from chained_logging.review.checklist.checklist import gone_through
from chained_logging.review.checklist.clauses import NAMES
from chained_logging.review.checklist.ocsf import findings, lines
from chained_logging.review.verdict import Evidence


@pytest.mark.parametrize("name", NAMES)
def test_every_standard_fits_the_schema(name: str, tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.db")
    for line in lines(gone_through(str(path), name, None, (), Evidence())):
        assert "\n" not in line
        assert faults(json.loads(line)) == []


def test_answers_of_every_kind_fit_the_schema() -> None:
    assert [faults(event) for event in findings(checklist())] == [[]] * 5


def test_the_schema_is_asked_for_real() -> None:
    event = next(findings(checklist()))
    assert faults({**event, "compliance": {"status_id": 9}})
    assert faults({name: value for name, value in event.items() if name != "finding_info"})


def test_only_what_is_met_passes() -> None:
    events = list(findings(checklist()))
    assert [one["compliance"]["status"] for one in events] == [
        "Pass", "Pass", "Fail", "Unknown", "Unknown",
    ]  # fmt: skip
    assert [one["severity"] for one in events][2:4] == ["Medium", "Unknown"]
    assert events[2]["remediation"] == {"desc": "start chrony"}
    assert "remediation" not in events[0]
    assert events[0]["time"] == 1795856405250
    assert [check["status"] for check in events[2]["compliance"]["checks"]] == ["Fail", "Pass"]
    assert events[0]["evidences"][0]["data"]["where"] == "chronyc tracking"
    assert events[4]["compliance"]["status_details"] == ["nobody can see from here: your people"]
