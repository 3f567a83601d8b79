"""What a report says of a standard is what docs/compliance.md says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chained_logging.review.report.page import _TITLES
from chained_logging.review.report.standards import NAMES, standard

DOCUMENT = Path(__file__).parents[4] / "docs" / "compliance.md"


def documented(full: str) -> list[list[str]]:
    """Return the rows of a standard's table, as text without links."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (part,) = (p for p in text.split("\n## ") if p.startswith(f"{full}\n"))
    rows = [line for line in part.splitlines() if line.startswith("| ")][1:]
    plain = (re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", row).replace("`", "") for row in rows)
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in plain]


@pytest.mark.parametrize("name", NAMES)
def test_the_words_are_those_of_the_documentation(name: str) -> None:
    found = standard(name)
    assert [list(clause[:4]) for clause in found.clauses] == documented(found.full)


@pytest.mark.parametrize("name", NAMES)
def test_each_clause_names_sections_that_a_report_has(name: str) -> None:
    shown = {section for clause in standard(name).clauses for section in clause.shown}
    assert shown <= set(_TITLES) - {"clauses"}


def test_what_a_report_cannot_show_is_not_claimed() -> None:
    nothing = {clause.clause for clause in standard("soc2").clauses if not clause.shown}
    assert nothing == {"CC6.4", "CC6.5"}
    assert {one.clause for one in standard("pci").shown_in("readings")} == {"10.2.1.3"}


def test_another_standard_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no standard 'iso': use soc2, hipaa, pci, gdpr"):
        standard("iso")
