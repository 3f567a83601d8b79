"""How often the rules are right, and how long they take.

``python benchmarks/detection.py`` reads public data that lies beside the checkout, in shared/data:
attacks on AWS, each with its events, and an hour of CloudTrail. Give files or folders of rules to
measure others than those of the package. ``--speed`` measures the time as well, over ``--entries``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))

import shared_data

from chained_logging import AuditLog
from chained_logging.collector.cloudtrail import fields
from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Finding
from chained_logging.review.detect.rule import Rule, shipped
from chained_logging.review.opening import open_log

Event = dict[str, Any]
TOOL: Final = "stratus-red-team"
"""What the user agent of the attacks in that hour of CloudTrail says. No rule asks for it."""


def quiet() -> Iterator[Event]:
    """Yield the events of that hour that are not of an attack: the console, services, Terraform."""
    return (one for one in shared_data.cloudtrail() if TOOL not in (one.get("userAgent") or ""))


def found(events: Iterable[Event], rules: Iterable[Rule]) -> list[Finding]:
    """Return what rules find in a log of these events alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        with AuditLog(path) as log:
            log.append_many(fields(event) for event in events)
        return list(_findings(path, RuleDetector(rules)))


def _findings(path: Path, detector: RuleDetector, after: int = -1) -> Iterator[Finding]:
    with open_log(str(path)) as log:
        yield from detector.findings(log, after, log.count() - 1)


def recall(rules: list[Rule]) -> dict[str, list[str]]:
    """Return the rules that find each technique."""
    techniques = shared_data.techniques().items()
    return {name: sorted({one.rule for one in found(events, rules)}) for name, events in techniques}


def speed(rules: list[Rule], entries: int) -> dict[str, float]:
    """Return how many seconds rules take over many entries once, and over 1,000 new ones."""
    events = [fields(event) for event in quiet()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.db"
        with AuditLog(path) as log:
            for done in range(0, entries, len(events)):
                log.append_many(events[: entries - done])
            detector = RuleDetector(rules)
            took = {"all": _timed(path, detector, -1)}
            log.append_many(events[:1000])
            took["1,000 new, where it ended"] = _timed(path, detector, entries)
            log.append_many(events[:1000])
        again = entries + 1000
        took["1,000 new, in a new process"] = _timed(path, RuleDetector(rules), again)
    return took


def _timed(path: Path, detector: RuleDetector, after: int) -> float:
    with open_log(str(path)) as log:
        upto = log.count() - 1
        begun = time.perf_counter()
        for _ in detector.findings(log, after, upto):
            pass
        return round(time.perf_counter() - begun, 2)


def main() -> None:
    """Print the figures, as JSON where that is asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("rules", nargs="*", type=Path)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--speed", action="store_true")
    asked.add_argument("--entries", type=int, default=1_000_000)
    options = asked.parse_args()
    rules = list(shipped())
    if options.rules:
        from chained_logging.review.detect.sigma import load

        rules = load(options.rules)
    by_technique = recall(rules)
    hits = sum(map(bool, by_technique.values()))
    events = list(quiet())
    alarms = found(events, rules)
    figures: dict[str, Any] = {
        "rules": len(rules),
        "techniques": by_technique,
        "recall": round(hits / len(by_technique), 3),
        "quiet_entries": len(events),
        "false_alarms": [one.sentence for one in alarms],
        "false_alarms_in_1000": round(1000 * len(alarms) / len(events), 2),
    }
    if options.speed:
        figures["seconds"] = speed(rules, options.entries)
    print(json.dumps(figures, indent=2) if options.json else "\n".join(_words(figures)))


def _words(figures: dict[str, Any]) -> Iterator[str]:
    for name, rules in figures["techniques"].items():
        yield f"{'found ' if rules else 'MISSED'} {name}: {', '.join(rules)}"
    yield f"recall {figures['recall']:.1%} of {len(figures['techniques'])} techniques"
    yield from (f"false alarm: {sentence}" for sentence in figures["false_alarms"])
    yield f"{figures['false_alarms_in_1000']} alarms in 1,000 of {figures['quiet_entries']} entries"
    yield from (f"{what}: {took} s" for what, took in figures.get("seconds", {}).items())


if __name__ == "__main__":
    main()
