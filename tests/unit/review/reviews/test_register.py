"""What was reviewed, and what is overdue."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from periods import event, write_log

from chained_logging import AuditLog
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.reviews import register
from chained_logging.review.reviews.desk import register_of, sign, start
from chained_logging.review.reviews.register import Overdue, emergencies
from chained_logging.review.reviews.schedule import Every

# The events of `periods` are of 2024.
NOW = dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
YEAR = Period("2024-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z")
EVENTS = [
    event(3),
    event(33, "break_glass", actor="ann", resource="patient_record/7"),
    event(34, "read", actor="bob", resource="patient_record/8", break_glass=True),
    event(35, "read", actor="eve", note="how to break glass"),
]


@pytest.fixture(params=["jsonl", "db"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_log(tmp_path / f"audit.{request.param}", EVENTS)


def overdue(log: Path, every: Every | None = "month") -> list[Overdue]:
    with open_log(str(log)) as engine:
        return register_of(str(log), engine)[0].overdue(engine, every, NOW)


def months(found: list[Overdue]) -> list[str]:
    return [one.title for one in found if not one.entries]


def test_each_month_is_overdue_until_somebody_signs_it(log: Path) -> None:
    every = months(overdue(log))
    assert every[0].startswith("Nobody has reviewed 2024-")
    assert months(overdue(log, None)) == []
    november = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
    number = start(str(log), november, "ann").seq
    assert months(overdue(log)) == every  # begun is not signed
    sign(str(log), number, "ann", "All in order.")
    left = months(overdue(log))
    assert [title for title in every if title not in left] == [
        "Nobody has reviewed 2024-11-01 to 2024-11-30"
    ]


def test_an_event_that_claims_to_be_ancient_does_not_fill_the_list(log: Path) -> None:
    write_log(log, [event(36) | {"timestamp": "0001-01-01T00:00:00Z"}])
    weeks = months(overdue(log, "week"))
    assert 1_000 < len(weeks) < 1_100
    assert weeks[-1] == "Nobody has reviewed 2025-01-06 to 2025-01-12"


def test_a_review_is_not_of_what_comes_after_it(log: Path) -> None:
    ever = Period(YEAR.since, "2100-01-01T00:00:00.000000Z")
    sign(str(log), start(str(log), ever, "ann").seq, "ann", "All in order, now and later.")
    assert months(overdue(log)) == []
    with open_log(str(log)) as engine:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=64)
        found = register_of(str(log), engine)[0].overdue(engine, "month", later)
    assert len(months(found)) >= 2


def test_emergency_access_is_to_be_reviewed_by_itself(log: Path) -> None:
    def waiting() -> list[int]:
        return [seq for one in overdue(log, None) for seq in one.entries]

    assert waiting() == [2, 3]
    sign(str(log), start(str(log), YEAR, "ann").seq, "ann", "The year is in order.")
    assert waiting() == [2, 3]
    sign(str(log), start(str(log), YEAR, "ann", about=[2]).seq, "ann", "Bed 7: justified.")
    assert waiting() == [3]


def test_what_only_talks_of_it_is_no_emergency(log: Path) -> None:
    with open_log(str(log)) as engine:
        assert [entry.seq for entry in emergencies(engine)] == [2, 3]


def test_neither_talk_nor_what_was_reviewed_hides_emergency_access(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "_MOST", 2)
    later = [event(40 + n, note="break_glass") for n in range(3)]
    write_log(log, [*later, event(44, "break_glass"), event(45, break_glass=True)])
    number = start(str(log), YEAR, "ann", about=[2, 3]).seq
    sign(str(log), number, "ann", "Both were justified.")
    assert [one.entries for one in overdue(log, None)] == [(8,), (9,)]


def test_a_program_cannot_sign_a_review(log: Path) -> None:
    number = start(str(log), YEAR, "ann").seq
    sign(str(log), number, "ann", "All in order.")
    with AuditLog(log) as opened:
        said = {"name": "x", "meaning": "", "conclusion": "", "signed_at": ""}
        context = {"review": number, "said": said}
        opened.append(**event(36, "review.sign", context=context))
    with open_log(str(log)) as engine:
        (review,) = register_of(str(log), engine)[0].reviews.values()
    assert len(review.signatures) == 1


def test_malformed_entries_are_passed_over(log: Path) -> None:
    with AuditLog(log) as opened:
        for context in ({}, {"review": []}, {"review": 99}, {"review": 5, "said": []}):
            opened.note("review.sign", **context)  # type: ignore[arg-type]
        opened.note("review.start", since=3)
    with open_log(str(log)) as engine:
        assert register_of(str(log), engine)[0].reviews == {}
