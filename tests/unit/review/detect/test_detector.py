"""Rules, run over a log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from retention_logs import fill, old, purge

from chained_logging import AuditLog
from chained_logging.errors import BrokenLog
from chained_logging.review.detect import bench, detector
from chained_logging.review.detect.bench import RuleError
from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.finding import Finding
from chained_logging.review.detect.rule import Correlation, Part, Rule
from chained_logging.review.opening import open_log
from chained_logging.review.query import Misfit
from chained_logging.review.retention.policies import Policy

READ = Rule("read", "low", "It was read.", "`action` = 'read'", ("action",))
QUIETLY = READ._replace(name="part", raises=False)
MANY = Rule(
    *("many", "high", "Much was read."),
    correlation=Correlation("event_count", (Part("part", ("actor_id",)),), 60, 3),
)
AGAIN = Rule(
    *("again", "critical", "Much was read, and more."),
    correlation=Correlation(
        "temporal_ordered", (Part("many", ("actor_id",)), Part("write", ("actor_id",))), 60, 2
    ),
)
WRITE = Rule("write", "low", "Written.", "`action` = 'write'", ("action",), raises=False)


def event(second: int, action: str = "read", actor: str = "ann", **more: Any) -> dict[str, Any]:
    timestamp = f"2026-01-02T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return {**EVENT, "timestamp": timestamp, "action": action, "actor": actor, **more}


def found(
    path: Path, rules: list[Rule], events: list[dict[str, Any]], after: int = 0
) -> list[Finding]:
    with AuditLog(path) as log:
        log.append_many(events)
    with open_log(str(path)) as engine:
        return list(RuleDetector(rules).findings(engine, after, engine.count() - 1))


def test_an_entry_that_fits_is_found_with_all_that_an_alert_needs(path: Path) -> None:
    (one,) = found(path, [READ], [event(0, "write"), event(1), event(2)])
    assert one == Finding(
        *("read", "low", "ann", (2, 3), 2),
        *("2026-01-02T00:00:01.000000Z", "2026-01-02T00:00:02.000000Z"),
        "It was read. ann: read of patient_record/456 from 10.0.0.1, 2 entries.",
    )


def test_what_is_far_apart_or_about_others_is_a_finding_of_its_own(path: Path) -> None:
    far = detector.APART + 1
    events = [event(0), event(1, actor="bob"), event(far), event(far + 1)]
    assert [(one.subject, one.entries) for one in found(path, [READ], events)] == [
        ("ann", (1,)),
        ("bob", (2,)),
        ("ann", (3, 4)),
    ]


def test_a_finding_names_the_first_hundred_and_counts_all(path: Path) -> None:
    (one,) = found(path, [READ], [event(0)] * 250)
    assert one.entries == tuple(range(1, 101))
    assert one.count == 250


def test_a_correlation_is_about_its_group(path: Path) -> None:
    events = [event(second, actor=actor) for second in range(2) for actor in ("ann", "bob")]
    (one,) = found(path, [QUIETLY, MANY], [*events, event(2, actor="ANN")])
    assert (one.rule, one.subject.lower(), one.entries) == ("many", "ann", (1, 3, 5))


def test_entries_that_come_late_are_put_in_their_order(path: Path) -> None:
    events = [event(30), event(0), event(900, "write"), event(50, "write"), event(20)]
    rules = [QUIETLY, MANY, WRITE, AGAIN]
    assert {one.rule for one in found(path, rules, events)} == {"many", "again"}


def test_without_its_group_an_entry_is_no_part(path: Path) -> None:
    rule = MANY._replace(
        correlation=Correlation("event_count", (Part("part", ("session_id",)),), 60, 3)
    )
    assert found(path, [QUIETLY, rule], [event(0)] * 5) == []
    assert len(found(path, [QUIETLY, rule], [event(0, session_id="s")] * 3)) == 1


def test_a_correlation_of_a_correlation(path: Path) -> None:
    events = [event(second) for second in range(3)]
    assert [one.rule for one in found(path, [QUIETLY, MANY, WRITE, AGAIN], events)] == ["many"]
    written = found(path, [QUIETLY, MANY, WRITE, AGAIN], [event(5, "write")])
    assert [(one.rule, one.entries) for one in written][1:] == [("again", (1, 2, 3, 4))]


def test_only_new_entries_are_found_and_those_before_count(path: Path) -> None:
    rules = [READ, QUIETLY, MANY]
    with AuditLog(path) as log:
        log.append_many([event(0), event(1)])
    with open_log(str(path)) as engine:
        going = RuleDetector(rules)
        assert len(list(going.findings(engine, -1, 2))) == 1
        with AuditLog(path) as log:
            log.append_many([event(2)])
        engine.store.refresh()
        for each in (going, RuleDetector(rules)):  # the second one begins in the middle
            read, many = sorted(each.findings(engine, 2, 3), key=lambda one: one.rule, reverse=True)
            assert (read.rule, read.entries) == ("read", (3,))
            assert (many.rule, many.entries) == ("many", (1, 2, 3))
        assert list(going.findings(engine, 3, 3)) == []


def test_an_entry_of_the_future_makes_nothing_old(path: Path) -> None:
    rules = RuleDetector([QUIETLY, MANY])
    now = {**event(0), "timestamp": time.time()}
    with AuditLog(path) as log:
        log.append_many([now, now, event(0, "write") | {"timestamp": "9999-12-31T00:00:00Z"}])
    with open_log(str(path)) as engine:
        assert list(rules.findings(engine, -1, 3)) == []
        with AuditLog(path) as log:
            log.append_many([now])
        engine.store.refresh()
        (one,) = rules.findings(engine, 3, 4)
    assert one.entries == (1, 2, 4)


def test_what_is_too_old_is_no_context(path: Path) -> None:
    with AuditLog(path) as log:
        log.append_many([event(0), event(1), event(100)])
    with open_log(str(path)) as engine:
        assert list(RuleDetector([QUIETLY, MANY]).findings(engine, 2, 3)) == []


@pytest.mark.parametrize("size", [1, 2, 7])
def test_batches_make_no_difference(path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(second, ("read", "write")[second % 3 == 0]) for second in range(40)]
    rules = [READ, QUIETLY, MANY, WRITE, AGAIN]
    whole = found(path, rules, events)
    monkeypatch.setattr(detector, "BATCH", size)
    assert {(one.rule, one.entries, one.count) for one in found(path, rules, [])} == {
        (one.rule, one.entries, one.count) for one in whole
    }


def test_long_lists_make_no_difference(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"changed_fields": ["a", "b", "c"]}
    events = [event(second, ("read", "write")[second % 3 == 0], **listed) for second in range(40)]
    by_list = READ._replace(fields=("action", "changed_fields"))
    whole = found(path, [by_list, QUIETLY, MANY, WRITE, AGAIN], events)
    monkeypatch.setattr(bench, "MOST_VALUES", 7)
    assert found(path, [by_list, QUIETLY, MANY, WRITE, AGAIN], []) == whole


def test_a_rule_that_cannot_be_run_is_named(path: Path) -> None:
    with pytest.raises(RuleError, match="the rule odd cannot be run"):
        found(path, [READ._replace(name="odd", sql="nothing(1)")], [event(0)])
    with pytest.raises(RuleError, match="many must come after part"):
        RuleDetector([MANY, QUIETLY])


def test_what_others_wrote_is_fit_for_a_terminal_in_a_sentence(path: Path) -> None:
    (one,) = found(path, [READ], [event(0, actor="a\x1b[31mn" + "n" * 900)])
    assert "\x1b" not in one.sentence
    assert len(one.sentence) < 600


def test_entries_that_retention_removed_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    fill(path, [old(400, action="read"), old(3, action="read"), old(400), old(2, action="read")])
    purge(path, Policy("year", 365))
    with open_log(str(path)) as engine:
        last = engine.scope().entries + 1  # two are gone
        findings = list(RuleDetector([READ]).findings(engine, -1, last))
    assert sorted(seq for one in findings for seq in one.entries) == [2, 4]


def test_a_log_that_changes_under_the_detector_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(path) as log:
        log.append_many([event(0)])
    with open_log(str(path)) as engine:
        monkeypatch.setattr(engine.store, "stream", raising(Misfit("entry 1 is not there")))
        with pytest.raises(BrokenLog, match="changes while it is read"):
            list(RuleDetector([READ]).findings(engine, -1, 1))


def raising(problem: Exception) -> Any:
    def function(*unused: Any) -> None:
        raise problem

    return function
