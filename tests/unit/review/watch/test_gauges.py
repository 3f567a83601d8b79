"""The table of the watch's numbers."""

from __future__ import annotations

from pathlib import Path

from chains import EVENT
from folders import ROOT

from chained_logging import AuditLog
from chained_logging.review.watch.check import Check
from chained_logging.review.watch.gauges import GAUGES
from chained_logging.review.watch.watch import Watch


def test_each_number_comes_from_its_check(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    watch = Watch(str(path))
    watch.round()
    names = ("shipping", "spill", "disk", "incomplete", "witness")
    states = (True, False, None, True, True)
    watch.checks = {
        (name, "it"): Check(name, "it", state, "", value=float(number))
        for number, (name, state) in enumerate(zip(names, states, strict=True))
    }
    found = {gauge.name: dict(gauge.values(watch)) for gauge in GAUGES}
    assert found["chained_logging_check_ok"] == {
        ("shipping", "it"): 1.0,
        ("spill", "it"): 0.0,
        ("disk", "it"): -1.0,
        ("incomplete", "it"): 1.0,
        ("witness", "it"): 1.0,
    }
    named = ("shipping_lag_seconds", "spill_bytes", "disk_free_bytes", "incomplete_ratio")
    for number, name in enumerate((*named, "witness_age_seconds")):
        assert found[f"chained_logging_{name}"] == {("it",): float(number)}
    assert found["chained_logging_verified_entries"] == {(path.name,): 2.0}


def test_what_was_never_verified_has_no_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    found = {gauge.name: dict(gauge.values(Watch(str(path)))) for gauge in GAUGES}
    assert found["chained_logging_verified_timestamp_seconds"] == {}
    assert found["chained_logging_verification_cpu_seconds"] == {(path.name,): 0.0}


def test_the_documentation_lists_all_of_them() -> None:
    rows = [
        line.split("|")[1:3]
        for line in (ROOT / "docs" / "watch.md").read_text().splitlines()
        if line.startswith("| `chained_logging_")
    ]
    said = {name.strip(" `"): labels.replace("`", "").split(",") for name, labels in rows}
    assert {name: tuple(map(str.strip, labels)) for name, labels in said.items()} == {
        gauge.name: gauge.labels for gauge in GAUGES
    }
