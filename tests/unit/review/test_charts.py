"""Bars: every entry is in one, whatever its time."""

from __future__ import annotations

import datetime as dt

import pytest

from chained_logging.review.charts import HEIGHT, RESULTS, WIDTH, chart


def days(first: str, count: int, step: int = 1) -> dict[str, dict[str, int]]:
    start = dt.date.fromisoformat(first)
    return {
        (start + dt.timedelta(days=step * number)).isoformat(): {"success": number + 1, "denied": 1}
        for number in range(count)
    }


@pytest.mark.parametrize(
    ("first", "count", "step", "unit"),
    [
        ("2026-11-28", 1, 1, "day"),
        ("2026-10-01", 62, 1, "day"),
        ("2026-01-01", 100, 1, "week"),
        ("2024-02-29", 1000, 1, "month"),
        ("1990-01-01", 40, 365, "year"),
    ],
)
def test_every_entry_is_in_one_bar(first: str, count: int, step: int, unit: str) -> None:
    given = days(first, count, step)
    drawn = chart(given)
    assert drawn.unit == unit
    assert len(drawn.bars) <= 62
    entries = sum(sum(day.values()) for day in given.values())
    assert sum(bar.entries for bar in drawn.bars) == entries
    assert drawn.left_out == 0
    for bar, after in zip(drawn.bars, drawn.bars[1:], strict=False):
        assert bar.until == after.since


def test_bars_stay_in_the_picture_and_are_as_high_as_their_entries() -> None:
    drawn = chart(days("2026-10-01", 30))
    assert drawn.highest == 31
    for bar in drawn.bars:
        assert 0 <= bar.x < bar.x + bar.width <= WIDTH
        for part in bar.parts:
            assert -0.1 <= part.y < part.y + part.height <= HEIGHT + 0.1
    assert drawn.bars[-1].parts[-1].y == pytest.approx(0, abs=0.1)


def test_results_that_nobody_knows_are_others() -> None:
    drawn = chart({"2026-10-01": {"unknown": 2, "success": 1}})
    assert drawn.results == ("success", "other")
    assert set(drawn.results) < set(RESULTS)
    assert drawn.bars[0].counts == {"other": 2, "success": 1}


@pytest.mark.parametrize("odd", ["0001-01-01", "9999-12-31"])
def test_a_time_far_from_the_others_is_told_and_not_drawn(odd: str) -> None:
    drawn = chart({**days("2026-10-01", 30), odd: {"success": 5}})
    assert len(drawn.bars) <= 62
    assert sum(bar.entries for bar in drawn.bars) + drawn.left_out == 30 * 31 // 2 + 30 + 5
    assert drawn.left_out > 0


def test_no_entries_make_no_bars() -> None:
    assert chart({}).bars == ()
    assert chart({"2026-10-01": {}, "2026-10-02": {}}).highest == 0
