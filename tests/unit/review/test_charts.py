"""Entries by day as bars, few enough to be drawn."""

from __future__ import annotations

import datetime as dt

import pytest

from chained_logging.review.charts import HEIGHT, WIDTH, chart


def days(first: str, count: int) -> dict[str, dict[str, int]]:
    start = dt.date.fromisoformat(first)
    return {(start + dt.timedelta(days=n)).isoformat(): {"success": n + 1} for n in range(count)}


@pytest.mark.parametrize(
    ("count", "unit", "bars"), [(30, "day", 30), (92, "week", 14), (900, "month", 30)]
)
def test_a_long_period_has_bars_of_weeks_or_months(count: int, unit: str, bars: int) -> None:
    found = chart(days("2024-10-01", count))
    assert (found.unit, len(found.bars)) == (unit, bars)
    assert sum(bar.entries for bar in found.bars) == count * (count + 1) // 2
    assert found.highest == max(bar.entries for bar in found.bars)
    assert found.left_out == 0


def test_a_bar_stands_on_the_axis_and_has_a_part_for_each_result() -> None:
    found = chart({"2024-10-01": {"denied": 1, "success": 3}, "2024-10-02": {"odd": 2}})
    first, second = found.bars
    assert [part.result for part in first.parts] == ["success", "denied"]
    assert first.parts[0].y + first.parts[0].height == HEIGHT
    assert first.parts[1].y == 0
    assert [part.result for part in second.parts] == ["other"]
    assert 0 <= first.x < second.x < WIDTH
    assert found.results == ("success", "denied", "other")


def test_days_that_are_missing_are_empty_and_no_days_have_no_bars() -> None:
    found = chart({"2024-10-01": {"success": 1}, "2024-10-03": {"success": 1}})
    assert [bar.entries for bar in found.bars] == [1, 0, 1]
    assert chart({}).bars == ()


def test_a_clock_that_was_wrong_by_centuries_does_not_draw_centuries() -> None:
    found = chart({"0001-01-01": {"success": 5}, "2024-10-03": {"success": 1}})
    assert len(found.bars) <= 62
    assert found.left_out == 5
