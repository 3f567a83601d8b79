"""A check as something that somebody should look at."""

from __future__ import annotations

from chained_logging.review.watch.check import Check


def test_a_check_becomes_a_finding_about_its_subject() -> None:
    now = "2026-03-02T10:00:00.000000Z"
    found = Check("disk", "audit.db", False, "It is full.", "high", 0.0).finding(now)
    assert found[:4] == ("watch-disk", "high", "audit.db", ())
    assert found[4:] == (0, now, now, "It is full.")
