"""Somebody reads records that none of those they work with has to do with."""

from __future__ import annotations

from usual_days import Days, rules

from chained_logging.review.detect.baselines.strangers import Strangers

WARDS = {"a": ("ann", "amy", "art"), "b": ("bob", "bea", "ben")}


def lived(days_of_work: int = 20) -> Days:
    """Two wards, each with three people and four patients at a time, and a porter who sees all."""
    days = Days(Strangers({}))
    for day in range(days_of_work):
        for ward, people in WARDS.items():
            for person in (*people, "porter"):
                for patient in range(4):
                    days.see(day, actor=person, id=f"{ward}-{day // 2}-{patient}")
    return days


def read(days: Days, day: int, ids: list[str], **fields: str) -> list[str]:
    return rules([found for id in ids for found in days.see(day, 15, id=id, **fields)])


def test_the_patients_of_another_ward_are_strangers() -> None:
    days = lived()
    others = [f"b-{number}-{patient}" for number in (8, 9) for patient in range(4)]
    assert "strange_records" in read(days, 20, others)


def test_the_patients_of_the_own_ward_are_not() -> None:
    days = lived()
    own = [f"a-{number}-{patient}" for number in (7, 8, 9) for patient in range(4)]
    assert not read(days, 20, own)


def test_records_that_nobody_used_for_long_are_strangers() -> None:
    assert read(lived(), 20, [f"old-{number}" for number in range(12)])


def test_records_that_a_program_has_just_made_are_not() -> None:
    days = lived()
    new = [f"new-{number}" for number in range(12)]
    for id in new:
        days.see(20, 8, actor="admission", actor_type="service", id=id)
    assert not read(days, 20, new)


def test_a_part_of_a_known_record_is_known() -> None:
    days = lived()
    for number in range(12):
        records = (f"note/{number}", f"record/a-9-{number % 4}")
        assert not days.see(20, type="note", id=str(number), records=records)


def test_somebody_who_uses_everything_makes_nothing_known() -> None:
    days = lived()
    ids = [f"c-{number}" for number in range(12)]
    for id in ids:
        days.see(20, 8, actor="porter", id=id)
    assert "strange_records" in read(days, 20, ids)


def test_the_records_of_a_list_do_not_count() -> None:
    days = lived()
    records = tuple(f"record/old-{number}" for number in range(50))
    assert not days.see(20, id="*", records=records)
