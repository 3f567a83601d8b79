"""The ten points, each with probes that exist."""

from __future__ import annotations

from chained_logging.review.checklist.points import POINTS
from chained_logging.review.checklist.probes.every import PROBES


def test_there_are_ten_points_and_each_can_be_probed() -> None:
    assert len(POINTS) == 10
    for point in POINTS:
        assert point.probes
        assert {probe.partition(" ")[0] for probe in point.probes} <= set(PROBES)


def test_retention_and_review_are_what_the_standard_asks() -> None:
    every = " ".join(probe for point in POINTS for probe in point.probes)
    assert "kept {days}" in every
    assert "reviewed {review}" in every
