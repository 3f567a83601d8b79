"""What a log does not cover is named, with its times."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from periods import FIRST, event, write_log

from chained_logging.review.coverage import Coverage, coverage, hours
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period

OCTOBER = Period("2024-10-01T00:00:00.000000Z", "2024-11-01T00:00:00.000000Z")


def covered(path: Path, events: list[dict[str, Any]], wanted: Filter = ANY) -> Coverage:
    with open_log(str(write_log(path, events))) as engine:
        found = hours(engine, OCTOBER.within(wanted))
        return coverage(engine, OCTOBER, found, engine.scope(wanted), wanted)


def test_a_log_that_is_written_each_day_has_nothing_to_name(tmp_path: Path) -> None:
    assert covered(tmp_path / "audit.db", [event(day) for day in range(60)]).complete


def test_silences_are_named_the_longest_first_and_as_long_as_they_were(tmp_path: Path) -> None:
    found = covered(tmp_path / "audit.jsonl", [event(day) for day in (0, 0.5, 3, 4, 4.9, 9, 40)])
    at = [(FIRST + dt.timedelta(days=day)).isoformat()[:19] for day in (9, 4.9, 0.5, 3)]
    assert [silence.since[:19] for silence in found.silences] == at[:3]
    assert found.silences[2].until.startswith(at[3])
    assert found.silences[0].until == OCTOBER.until  # an entry of November ends it
    assert found.silence_count == 3
    assert found.silences[1].length == dt.timedelta(days=4.1)


def test_a_log_is_not_silent_before_it_begins_nor_after_its_end(tmp_path: Path) -> None:
    events = [event(3, tenant="t"), event(3.5, tenant="t")]
    assert not covered(tmp_path / "audit.db", events, Filter(tenant=("t",))).silences


def test_a_clock_that_was_set_back_is_named_and_writers_at_once_are_not(tmp_path: Path) -> None:
    second = 1 / 86400
    days = [0, 0.5, 0.5 - second, 0.7, 0.6, 0.9, 0.5, 1.2]
    found = covered(tmp_path / "audit.db", [event(day) for day in days])
    assert [step.seq for step in found.steps] == [7, 5]
    assert found.steps[0].length == dt.timedelta(days=0.4)
    assert found.step_count == 2


def test_incomplete_entries_of_the_period_are_counted(tmp_path: Path) -> None:
    events = [event(1, actor=""), event(2), event(50, actor=""), event(2, actor="", tenant="t")]
    assert covered(tmp_path / "audit.db", events).incomplete == 2
    assert covered(tmp_path / "audit.jsonl", events, Filter(tenant=("t",))).incomplete == 1
