"""What a detector yields."""

from __future__ import annotations

from chained_logging.review.detect.finding import SEVERITIES, Finding


def test_the_severities_are_those_of_sigma_the_least_first() -> None:
    assert SEVERITIES == ("informational", "low", "medium", "high", "critical")


def test_a_finding_says_what_when_and_why() -> None:
    found = Finding("r", "low", "ann", (1, 2), 2, "2026-01-01", "2026-01-02", "because")
    assert (found.rule, found.subject, found.entries, found.sentence) == (
        *("r", "ann", (1, 2)),
        "because",
    )
