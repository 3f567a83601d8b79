"""What is usual, and where the unusual begins."""

from __future__ import annotations

from typing import Any

from chained_logging.review.detect.baselines.past import renewed, usual


def test_the_limit_is_some_spreads_beyond_the_median() -> None:
    found = usual([90, 100, 110, 100, 130], floor=0)
    assert (found.median, found.most, found.days) == (100, 130, 5)
    assert found.limit == 100 + 5 * 0.25 * 100  # the MAD is 10: a quarter of the median is more


def test_one_outlier_moves_the_limit_little() -> None:
    calm = usual([10, 12, 11, 9, 10, 12, 11], floor=0)
    wild = usual([10, 12, 11, 9, 10, 12, 5_000], floor=0)
    assert wild.limit < 2 * calm.limit


def test_the_floor_holds_whatever_the_past() -> None:
    assert usual([0, 0, 0], floor=15).limit == 15
    assert usual([], floor=15).limit == 15


def test_the_oldest_goes_first() -> None:
    table: dict[str, Any] = {}
    for key in "abcab":
        renewed(table, key, 1, most=3)
    assert list(table) == ["c", "a", "b"]
    renewed(table, "d", 1, most=3)
    assert list(table) == ["a", "b", "d"]
