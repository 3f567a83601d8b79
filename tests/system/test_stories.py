"""The labelled logs, and what the baselines find in them: a sample of ``benchmarks/stories.py``.

The seeds are neither those that the baselines were tuned on nor those that they were judged on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from folders import ROOT

sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "examples")]
import stories  # noqa: E402
from labelled.dataset import make  # noqa: E402

from chained_logging.sinks import open_sink  # noqa: E402

DAYS, HISTORY = 76, 58
"""Shorter than in the benchmark, so that it takes seconds."""
DIGEST = "3ef51e6d52992d105a5d2c1470609c8fdc7e892b2d5e28538d7849163ae15b13"


@pytest.mark.parametrize(
    ("domain", "seed"),
    [
        pytest.param("clinic", 51, marks=pytest.mark.long),
        pytest.param("shop", 52, marks=pytest.mark.long),
        ("office", 53),
    ],
)
def test_all_stories_are_found_and_an_ordinary_day_is_quiet(domain: str, seed: int) -> None:
    outcome = stories.judged(domain, seed, DAYS, HISTORY)
    missed = [name for name, rules in outcome.found.items() if not rules]
    assert not missed
    alarms = "\n".join(alarm.sentence for alarm in outcome.false)
    assert len(outcome.false) <= outcome.days, alarms


@pytest.mark.long
def test_a_seed_makes_the_same_log_on_each_machine() -> None:
    made = make("office", 1, days=45, history=25)
    text = "".join(json.dumps(event) for event in made.events) + json.dumps(made.labels)
    assert sha256(text.encode()).hexdigest() == DIGEST


@pytest.mark.long
def test_the_events_are_what_append_takes(tmp_path: Path) -> None:
    """Each event becomes one complete entry, with the ``seq`` that its id says."""
    made = make("office", 1, days=45, history=25)
    made = made._replace(events=made.events[:500] + made.events[-500:])
    stories.written(made, tmp_path / "audit.jsonl")
    entries = [json.loads(record.body) for record in open_sink(tmp_path / "audit.jsonl").records()]
    assert len(entries) == 1 + len(made.events)
    assert entries[1]["context"]["event_id"] == "office-1-000001"
    assert not [entry for entry in entries if "invalid" in entry["context"]]


@pytest.mark.long
def test_the_labels_name_events_of_their_story() -> None:
    made = make("office", 1, days=45, history=25)
    by_id = {event["event_id"]: event for event in made.events}
    for label in made.labels:
        events = [by_id[id] for id in label["events"]]
        assert events, label["story"]
        assert label["first"] == events[0]["timestamp"] >= made.begins
        assert label["last"] == events[-1]["timestamp"]
    assert {label["story"] for label in made.labels} == set(stories.NAMES)


@pytest.mark.long
def test_the_command_writes_both_files(tmp_path: Path) -> None:
    arguments = ["office", "--days", "45", "--history", "25", "--into", str(tmp_path)]
    command = [sys.executable, str(ROOT / "examples/labelled"), *arguments]
    subprocess.run(command, check=True, capture_output=True)
    labels = json.loads((tmp_path / "office-1.labels.json").read_text())
    lines = (tmp_path / "office-1.jsonl").read_text().splitlines()
    assert labels["entries"] == len(lines)
