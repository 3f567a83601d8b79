"""How findings are put together."""

from __future__ import annotations

from usual_days import Days

from chained_logging.review.detect.baselines.baseline import at, exceeding, since
from chained_logging.review.detect.baselines.past import usual
from chained_logging.review.detect.baselines.tally import Excess


def test_a_finding_about_one_entry_names_it() -> None:
    event = Days().event()
    found = at(event, "rule", "low", "ann", "why")
    assert (found.entries, found.count, found.first, found.last) == (
        (event.seq,),
        1,
        event.timestamp,
        event.timestamp,
    )


def test_a_finding_about_several_names_each_once_in_order() -> None:
    event = Days().event()
    found = since(event, "rule", "low", "ann", "why", [3, 1, 3, 2], "2026-01-01T00:00:00.000000Z")
    assert (found.entries, found.count) == ((1, 2, 3), 3)
    assert found.first < found.last == event.timestamp


def test_it_names_a_hundred_and_counts_all() -> None:
    event = Days().event()
    found = since(event, "rule", "low", "ann", "why", range(500), event.timestamp, 900)
    assert (found.entries, found.count) == (tuple(range(400, 500)), 900)


def test_an_excess_says_the_number_and_the_past() -> None:
    event = Days().event()
    excess = Excess(9, usual([1, 2], 1), usual([3], 1), (1, 2), event.timestamp)
    found = exceeding(event, "rule", "high", "ann", excess, "ann did 9")
    assert found.sentence == (
        "ann did 9; on 2 earlier days a median of 1.5, at most 2; others a median of 3 a day"
    )
    assert found.count == 9
