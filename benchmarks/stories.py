"""How many of the twelve stories the baselines find, and how many false alarms they raise.

    python -m pip install -e '.[dev]' && python benchmarks/stories.py --seeds 101-120

Each log of ``examples/labelled`` is written as a real log and read from its first entry on. What
is found before the month with the stories does not count. A story is found if a finding of a rule
that says what happened names one of its entries. An alarm is what is found under one rule about one
subject on one day, of severity low or more; it is false if it names no entry of a story.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from labelled.calendars import HOLIDAYS, ZONE
from labelled.dataset import DAYS, HISTORY, Dataset, make
from labelled.organisations import ORGANISATIONS
from labelled.stories import NAMES

from chained_logging import AuditLog
from chained_logging.review.detect.baselines.calendar import Calendar
from chained_logging.review.detect.baselines.detector import watched
from chained_logging.review.detect.finding import Finding
from chained_logging.sinks import open_sink

TELLING = {
    "snooping": {"strange_records", "access_spike"},
    "leavers_export": {"mass_export"},
    "shared_password": {"shared_account"},
    "slow_brute_force": {"password_guessing"},
    "salaries": {"new_resource_type"},
    "service_by_hand": {"service_by_hand"},
    "dormant": {"dormant_account"},
    "escalation": {"privilege_change"},
    "break_glass": {"break_glass_habit"},
    "impersonation": {"impersonation"},
    "mass_delete": {"mass_delete"},
    "silence": {"log_silence"},
}
"""The rules whose sentence says what happened in a story."""


class Outcome(NamedTuple):
    """What was found in one log.

    :ivar found: for each story, the rules that told of it.
    :ivar false: the false alarms.
    :ivar days: how many days were looked at.
    """

    name: str
    entries: int
    seconds: float
    found: dict[str, list[str]]
    false: list[Finding]
    days: int


def written(found: Dataset, path: Path) -> None:
    """Append the events of a log."""
    with AuditLog(path) as log:
        for begin in range(0, len(found.events), 1000):
            log.append_many(found.events[begin : begin + 1000])


def judged(domain: str, seed: int, days: int, history: int) -> Outcome:
    """Return what the baselines find in the log of a seed."""
    made = make(domain, seed, days=days, history=history)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "audit.jsonl")
        written(made, path)
        begin = time.process_time()
        findings = list(watched(open_sink(path).records(), Calendar(ZONE.key, HOLIDAYS)))
        seconds = time.process_time() - begin
    seen = [one for one in findings if one.last >= made.begins]
    told = {label["story"]: _told(label, seen) for label in made.labels}
    false = list(_alarms(seen, made))
    return Outcome(made.name, len(made.events), seconds, told, false, days - history)


def _told(label: dict[str, Any], findings: Iterable[Finding]) -> list[str]:
    seqs = set(map(_seq, label["events"]))
    return sorted(
        {
            one.rule
            for one in findings
            if one.rule in TELLING[label["story"]] and not seqs.isdisjoint(one.entries)
        }
    )


def _seq(event_id: str) -> int:
    """Return the entry of an event: a new log has its own entry first, then each event."""
    return int(event_id.rpartition("-")[2])


def _alarms(findings: Iterable[Finding], made: Dataset) -> Iterator[Finding]:
    """Yield the false alarms: one of each rule, subject and day."""
    labelled = {_seq(event) for label in made.labels for event in label["events"]}
    alarms: dict[tuple[str, str, str], Finding] = {}
    true = set()
    for one in findings:
        if one.severity == "informational":
            continue
        key = one.rule, one.subject, one.last[:10]
        alarms.setdefault(key, one)
        if not labelled.isdisjoint(one.entries):
            true.add(key)
    return (one for key, one in alarms.items() if key not in true)


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def report(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the figures of some logs, by domain."""
    figures: dict[str, Any] = {}
    for domain in sorted({one.name.partition("-")[0] for one in outcomes}):
        mine = [one for one in outcomes if one.name.startswith(f"{domain}-")]
        days = sum(one.days for one in mine)
        false = [alarm for one in mine for alarm in one.false]
        figures[domain] = {
            "logs": len(mine),
            "entries": sum(one.entries for one in mine),
            "stories": {
                name: f"{sum(bool(one.found[name]) for one in mine)}/{len(mine)}" for name in NAMES
            },
            "false_alarms_a_day": round(len(false) / days, 2),
            "most_in_one_log": round(max(len(one.false) / one.days for one in mine), 2),
            "false_by_rule": dict(collections.Counter(one.rule for one in false).most_common()),
            "microseconds_an_entry": round(
                1e6 * sum(one.seconds for one in mine) / sum(one.entries for one in mine), 1
            ),
        }
    return figures


def main() -> int:
    """Measure, print the figures, and return 1 if they are worse than was promised."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=_seeds, default=_seeds("1-10"), help="such as 101-120")
    parser.add_argument("--domains", nargs="+", default=sorted(ORGANISATIONS))
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--history", type=int, default=HISTORY)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print each false alarm and each miss")
    given = parser.parse_args()
    asked = [(d, s, given.days, given.history) for s in given.seeds for d in given.domains]
    with ProcessPoolExecutor(given.jobs) as pool:
        outcomes = list(pool.map(judged, *zip(*asked, strict=True)))
    figures = report(outcomes)
    if given.show:
        shown(outcomes)
    print(json.dumps(figures, indent=1))
    print(f"measured {dt.date.today()}, seeds {given.seeds[0]} to {given.seeds[-1]}")
    missed = sum(not rules for one in outcomes for rules in one.found.values())
    noisy = [name for name, domain in figures.items() if domain["false_alarms_a_day"] > 1]
    return 1 if missed or noisy else 0


def shown(outcomes: Iterable[Outcome]) -> None:
    """Print each story that was missed, and each false alarm."""
    for one in outcomes:
        for name, rules in one.found.items():
            if not rules:
                print(f"{one.name}: missed {name}")
        for alarm in one.false:
            print(f"{one.name}: {alarm.rule} [{alarm.severity}] {alarm.sentence}")


if __name__ == "__main__":
    sys.exit(main())
