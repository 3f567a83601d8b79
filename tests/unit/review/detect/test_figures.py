"""How often the rules of the package are right, on public data."""

from __future__ import annotations

import sys
from pathlib import Path

import shared_data

sys.path.insert(0, str(Path(__file__).parents[4] / "benchmarks"))

import detection

from chained_logging.review.detect.rule import shipped

RULES = list(shipped())
pytestmark = shared_data.needed


def test_at_least_85_percent_of_the_techniques_are_found() -> None:
    found = detection.recall(RULES)
    assert len(found) == 24
    missed = [name for name, rules in found.items() if not rules]
    assert len(missed) <= 3, missed


def test_at_most_one_alarm_is_raised_in_1000_quiet_entries() -> None:
    quiet = list(detection.quiet())
    alarms = detection.found(quiet, RULES)
    assert len(quiet) > 1000
    assert len(alarms) * 1000 <= len(quiet), [one.sentence for one in alarms]
