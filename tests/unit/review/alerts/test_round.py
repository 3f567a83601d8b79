"""A round raises what is new, once, and delivers it until it is taken."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from chains import EVENT
from findings import Broken, Denials, finding

from chained_logging import AuditLog
from chained_logging.review.alerts.alert import DELIVER, RAISE, UNDELIVERED
from chained_logging.review.alerts.delivery.target import Notification, Undelivered
from chained_logging.review.alerts.desk import Desk
from chained_logging.review.alerts.round import Outcome, deliver, joined
from chained_logging.verify import verify

DENIED = EVENT | {"result": "denied"}


class Receiver:
    def __init__(self, name: str = "receiver") -> None:
        self.name = name
        self.taken: list[Notification] = []
        self.works = True
        self.tries = 0

    def deliver(self, notification: Notification) -> None:
        self.tries += 1
        if not self.works:
            raise Undelivered("it is down")
        self.taken.append(notification)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def append(path: Path, *events: dict[str, object]) -> None:
    with AuditLog(path) as log:
        for event in events:
            log.append("read", **event)


def once(path: Path, *detectors: object, to: tuple[Receiver, ...] = ()) -> Outcome:
    with Desk(str(path)) as desk:
        return desk.rounds(detectors or [Denials()], to).round()  # type: ignore[arg-type]


def actions(path: Path) -> list[str]:
    with AuditLog(path, sign="follow") as log:
        return [entry.action for entry in log.entries() if entry.action.startswith("alert.")]


def test_a_finding_is_raised_as_an_entry_that_names_its_entries(path: Path) -> None:
    append(path, EVENT, DENIED)
    outcome = once(path)
    (alert,) = outcome.raised
    assert alert.finding.entries == (2,)
    assert outcome.problems == []
    with AuditLog(path) as log:
        entry = list(log.entries())[alert.seq]
    assert (entry.action, entry.context["entries"]) == (RAISE, [2])
    assert verify(path).intact


def test_nothing_is_raised_twice_even_if_the_positions_are_lost(path: Path) -> None:
    append(path, DENIED)
    assert len(once(path).raised) == 1
    assert once(path).raised == []
    path.with_name(path.name + ".alerts").unlink()
    again = once(path)
    assert (again.raised, again.joined) == ([], 1)
    assert actions(path) == [RAISE]


def test_a_second_round_looks_at_what_is_new_alone(path: Path) -> None:
    append(path, EVENT)
    detector = Denials()
    once(path, detector)
    append(path, DENIED)
    once(path, detector)
    assert detector.looked == [(-1, 1), (1, 2)]


def test_positions_of_another_log_do_not_count(path: Path, tmp_path: Path) -> None:
    append(path, DENIED)
    once(path)
    other = tmp_path / f"other{path.suffix}"
    append(other, EVENT, EVENT, EVENT, DENIED)
    path.with_name(path.name + ".alerts").rename(other.with_name(other.name + ".alerts"))
    assert len(once(other).raised) == 1


def test_a_detector_that_fails_stops_no_other_and_looks_again(path: Path) -> None:
    append(path, DENIED)
    outcome = once(path, Broken(), Denials())
    assert len(outcome.raised) == 1
    assert outcome.problems == ["broken could not look at the log: its rule is not one"]
    assert once(path, Broken(), Denials()).problems == outcome.problems


def test_what_is_less_severe_is_left_out(path: Path) -> None:
    append(path, DENIED)
    assert once(path, Denials(severity="informational")).raised == []


def test_a_suppressed_finding_is_counted_and_not_raised(path: Path) -> None:
    append(path, DENIED)
    with Desk(str(path)) as desk:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        desk.suppress("denials", None, until, "eve", "a migration")
        outcome = desk.rounds([Denials()]).round()
    assert (outcome.raised, outcome.suppressed) == ([], 1)


def test_an_alert_is_delivered_once_to_each_target(path: Path) -> None:
    append(path, DENIED)
    one, two = Receiver("one"), Receiver("two")
    once(path, to=(one,))
    once(path, to=(one, two))
    assert (len(one.taken), len(two.taken)) == (1, 1)
    assert actions(path) == [RAISE, DELIVER, DELIVER]


def test_an_alert_that_is_not_taken_is_tried_until_it_is(path: Path) -> None:
    append(path, DENIED)
    receiver = Receiver()
    receiver.works = False
    outcome = once(path, to=(receiver,))
    assert outcome.problems == ["an alert did not reach receiver: it is down"]
    assert receiver.tries == 3
    once(path, to=(receiver,))
    assert actions(path) == [RAISE, UNDELIVERED]  # said once
    receiver.works = True
    assert once(path, to=(receiver,)).problems == []
    assert len(receiver.taken) == 1
    assert actions(path) == [RAISE, UNDELIVERED, DELIVER]


def test_one_alert_that_a_target_refuses_does_not_hold_up_the_others(path: Path) -> None:
    class Picky(Receiver):
        def deliver(self, notification: Notification) -> None:
            self.works = notification.alert.finding.subject != "user-1"
            super().deliver(notification)

    append(path, DENIED, DENIED | {"actor": "u-2"})
    receiver = Picky()
    once(path, to=(receiver,))
    assert [one.alert.finding.subject for one in receiver.taken] == ["u-2"]


def test_an_old_alert_is_not_delivered(path: Path) -> None:
    append(path, DENIED)
    once(path)
    receiver = Receiver()
    with Desk(str(path)) as desk:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=8)
        desk.rounds([Denials()], [receiver]).round(later)
    assert receiver.taken == []


def test_a_flood_about_one_subject_is_one_alert(path: Path) -> None:
    append(path, *[DENIED] * 300)
    (alert,) = once(path).raised
    assert alert.finding.count == 300
    assert len(alert.finding.entries) == 100


def test_findings_of_different_days_are_different_alerts() -> None:
    days = [finding(first=f"2026-03-0{day}T10:00:00.000000Z") for day in (1, 1, 2)]
    assert [one.count for one in joined(days)] == [2, 1]


def test_the_worst_of_what_is_joined_speaks() -> None:
    both = [finding(severity="low", sentence="Little."), finding(severity="high")]
    (one,) = joined(both)
    assert (one.severity, one.sentence) == ("high", "Ann did it.")


def test_an_alert_is_not_found_by_what_looks_for_alerts(path: Path) -> None:
    append(path, DENIED)
    for _ in range(3):
        once(path)
    assert actions(path) == [RAISE]


def test_delivery_has_patience(path: Path) -> None:
    append(path, DENIED)
    (alert,) = once(path).raised
    receiver = Receiver()
    receiver.works = False
    with pytest.raises(Undelivered, match="down"):
        deliver(receiver, Notification(alert, "o"))
    assert receiver.tries == 3
