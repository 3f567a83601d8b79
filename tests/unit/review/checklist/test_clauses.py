"""The clauses of standards: which there are, what they need, and that nothing is overclaimed."""

from __future__ import annotations

import re

import pytest

from chained_logging.review.checklist.clauses import NAMES, standard
from chained_logging.review.checklist.probes.every import PROBES

ASKED = {
    "hipaa": {"164.308(a)(1)(ii)(D)", "164.312(b)", "164.312(c)(1)", "164.312(c)(2)"},
    "pci": {f"10.{n}" for n in range(2, 8)},
    "soc2": {f"CC6.{n}" for n in range(1, 9)} | {f"CC7.{n}" for n in range(1, 5)},
    "gdpr": {"5", "17", "30", "32"},
    "iso27001": {"A.8.15", "A.8.16", "A.8.17"},
}


@pytest.mark.parametrize("name", NAMES)
def test_every_clause_that_was_asked_is_there(name: str) -> None:
    clauses = {clause.clause for clause in standard(name).clauses}
    for asked in ASKED[name]:
        assert any(re.match(rf"{re.escape(asked)}(?![0-9])", one) for one in clauses), asked


@pytest.mark.parametrize("name", NAMES)
def test_each_probe_exists_and_each_clause_says_what_stays_yours(name: str) -> None:
    for clause in standard(name).clauses:
        assert {probe.partition(" ")[0] for probe in clause.probes} <= set(PROBES)
        assert clause.gives
        assert clause.yours
        assert len(clause.quote) < 260


@pytest.mark.parametrize("name", NAMES)
def test_a_clause_without_a_probe_lies_beyond_what_can_be_seen(name: str) -> None:
    for clause in standard(name).clauses:
        assert clause.probes or clause.beyond


def test_periods_are_those_of_the_standards() -> None:
    assert standard("hipaa").days >= 6 * 365 + 2
    assert standard("pci").days == 365
    assert standard("gdpr").days == 0  # it names none
    daily = [clause for clause in standard("pci").clauses if "reviewed 1" in clause.probes]
    assert [clause.clause for clause in daily] == ["10.4.1"]


def test_another_standard_is_refused() -> None:
    with pytest.raises(ValueError, match="no standard 'nist': use hipaa, pci, soc2"):
        standard("nist")
