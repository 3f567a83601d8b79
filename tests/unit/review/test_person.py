"""What a person gets to know about the use of their record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chained_logging import AuditLog
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.person import (
    COLUMNS,
    Occasion,
    Person,
    PersonReport,
    page,
    read_people,
    table,
)
from chained_logging.review.query import Engine

RECORD = "patient_record/456"
EVENTS: list[dict[str, Any]] = [
    {"action": "read", "actor": "ann", "resource": RECORD, "reason": "treatment"},
    {"action": "update", "actor": "bob", "resource": RECORD, "changed_fields": ["phone"]},
    {"action": "read", "actor": "eve", "resource": RECORD, "result": "denied"},
    {"action": "export", "actor": "root", "actor_type": "admin", "resource": RECORD},
    {"action": "search", "actor": "ann", "resource": "patients", "resources": [RECORD, "a/1"]},
    {"action": "read", "actor": "ann", "resource": "patient_record/7"},
    {"action": "triage", "actor": "ann", "resource": "image/456", "result": "failure"},
    {"action": "read", "actor": "456", "resource": RECORD},
    {"action": "write", "actor": "bob", "resource": "letter/9", "on_behalf_of": "456"},
]


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with AuditLog(path) as log:
        log.append_many([{"ip": "10.0.0.1", **event} for event in EVENTS])
        log.note("audit_log.read", on_behalf_of="dpo", resource=RECORD)
    with open_log(str(path)) as engine:
        yield engine


def said(report: PersonReport) -> list[tuple[int, str, str]]:
    return [(each.seq, each.who, each.what) for each in report.occasions]


def test_each_use_of_the_record_is_told_in_plain_words(engine: Engine) -> None:
    report = PersonReport(engine, RECORD, staff="names")
    assert said(report) == [
        (1, "ann", "looked at the record"),
        (2, "bob", "changed the record: phone"),
        (3, "eve", "tried to look at the record, and was refused"),
        (4, "root", "took a copy of the record"),
        (5, "ann", "looked at the record, among 3"),
        (8, "456", "looked at the record"),
    ]
    assert [each.why for each in report.occasions][:2] == ["treatment", ""]
    assert len(report.occasions) == 6


def test_a_person_is_found_in_records_of_any_type_and_in_what_others_did_for_them(
    engine: Engine,
) -> None:
    report = PersonReport(engine, subject="456", staff="names")
    assert said(report)[-3:] == [
        (7, "ann", "tried to do “triage” with the record, and did not succeed"),
        (8, "you", "looked at the record"),
        (9, "bob, in your name", "changed the record"),
    ]
    assert len(report.occasions) == 8


def test_roles_name_nobody(engine: Engine) -> None:
    known = {"ann": Person("Ann Smith", "a nurse")}
    roles = [who for _, who, _ in said(PersonReport(engine, RECORD, known=known))]
    assert roles[:4] == ["a nurse", "a member of staff", "a member of staff", "an administrator"]


def test_who_is_withheld_has_one_number_throughout(engine: Engine) -> None:
    known = {"ann": Person("Ann", "nurse")}
    for _ in range(2):
        report = PersonReport(engine, RECORD, staff="withheld", known=known)
        who = [who for _, who, _ in said(report)]
        assert who == ["person 1", "person 2", "person 3", "person 4", "person 1", "person 5"]


def test_a_list_of_people_gives_their_names(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("\ufeffactor_id,role,name\nann,a nurse,Ann Smith\n")
    report = PersonReport(engine, RECORD, staff="names", known=read_people(file))
    assert said(report)[0] == (1, "Ann Smith", "looked at the record")
    file.write_text("actor_id,name\nann,Ann\n")
    with pytest.raises(ValueError, match="must have the column role"):
        read_people(file)


def test_what_is_counted_is_what_is_shown_whatever_is_appended_meanwhile(path: Path) -> None:
    event = {"action": "read", "actor": "ann", "resource": RECORD, "ip": "10.0.0.1"}
    with AuditLog(path) as log, open_log(str(path)) as engine:
        log.append(**event)
        engine.store.refresh()
        report = PersonReport(engine, RECORD)
        counted = len(report.occasions)
        log.append(**event)
        engine.store.refresh()
        assert counted == len(report.occasions) == 1
        assert "There was 1 occasion" in page(report, log="a", verdict="Intact", intact=True)
        assert len(PersonReport(engine, RECORD).occasions) == 2


def test_a_period_narrows_it(engine: Engine) -> None:
    early = Filter(until="2000-01-01T00:00:00.000000Z")
    assert PersonReport(engine, RECORD, period=early).occasions == ()


def test_either_a_record_or_a_person_is_asked_for(engine: Engine) -> None:
    for asked in ({}, {"resource": RECORD, "subject": "456"}):
        with pytest.raises(ValueError, match="either a resource or a subject"):
            PersonReport(engine, **asked)


def test_the_page_is_the_same_each_time_and_needs_nothing_else(engine: Engine) -> None:
    made, again = (
        page(PersonReport(engine, RECORD), log="audit.db", verdict="Intact", intact=True)
        for _ in range(2)
    )
    assert made == again
    assert not re.search(r"(src|href|url)\s*[=(]", made)
    assert "There were 6 occasions" in made
    assert 'role="alert"' not in made
    assert "ann" not in re.findall(r"<td>(.*?)</td>", made)


def test_a_log_that_is_not_intact_is_said_first(engine: Engine) -> None:
    made = page(PersonReport(engine, RECORD), log="a", verdict="Tampered with", intact=False)
    assert made.index("Tampered with") < made.index("<h1>")
    assert made.index('role="alert"') < made.index("<h1>")


def test_what_others_wrote_is_text(path: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[2J"
    with AuditLog(path) as log:
        log.append(hostile, actor=hostile, resource=("r", "1"), ip="10.0.0.1", reason=hostile)
    with open_log(str(path)) as engine:
        report = PersonReport(engine, "r/1", staff="names")
        made = page(report, log=hostile, verdict="Intact", intact=True)
    assert "<script" not in made
    assert "\u202e" not in made
    assert "\x1b" not in made


def test_the_table_has_a_head(engine: Engine) -> None:
    one = Occasion("2026-01-01T00:00:00.000000Z", "ann", "looked at the record", "", 1)
    assert list(table([one])) == [COLUMNS, one]
