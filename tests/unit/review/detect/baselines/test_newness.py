"""Somebody uses a type of record, or comes from a network, for the first time."""

from __future__ import annotations

import pytest
from usual_days import Days, rules

from chained_logging.review.detect.baselines import newness
from chained_logging.review.detect.baselines.newness import Newness


def lived() -> Days:
    """Ten days of four people, of whom one is in charge of salaries."""
    days = Days(Newness({}))
    for day in range(10):
        for actor in ("ann", "bob", "cid", "hr"):
            days.see(day, actor=actor)
        days.many(3, day, actor="hr", type="salary")
    return days


def test_a_type_that_is_for_few_is_found() -> None:
    days = lived()
    (found,) = days.many(5, 10, type="salary")
    assert (found.rule, found.severity) == ("new_resource_type", "medium")
    assert "ann used salary, on 0 of 10 earlier days" in found.sentence
    assert "only 1 others did (hr)" in found.sentence
    assert found.count == 3


def test_one_look_is_not_told_of() -> None:
    assert not lived().many(2, 10, type="salary")


def test_a_type_that_all_use_is_nothing() -> None:
    days = lived()
    for actor in ("bob", "cid", "hr", "dan"):
        days.many(3, 10, actor=actor, type="order")
    assert not days.many(5, 11, type="order")


def test_after_three_days_it_is_familiar() -> None:
    days = lived()
    found = [rules(days.many(5, day, type="salary")) for day in range(10, 15)]
    assert found == [["new_resource_type"]] * 3 + [[], []]


def test_a_type_that_is_new_to_all_is_nothing() -> None:
    assert not lived().many(5, 10, type="release")


def test_a_new_network_is_told_of_and_with_a_new_program_more_so() -> None:
    days = lived()
    (found,) = days.see(10, net="198.18.7")
    assert (found.rule, found.severity) == ("new_network", "informational")
    (found,) = days.see(10, actor="bob", net="198.18.8", agent="curl/")
    assert (found.rule, found.severity) == ("new_network", "medium")
    assert not days.see(10, actor="bob", net="198.18.8", agent="curl/")


def test_the_network_of_a_colleague_is_nothing_new() -> None:
    days = lived()
    days.see(10, actor="bob", net="198.18.8")
    assert not days.see(11, net="198.18.8")


def test_somebody_whose_networks_change_all_the_time_may_change_again() -> None:
    days = lived()
    found = [rules(days.see(10 + n, net=f"100.64.{n}")) for n in range(5)]
    assert found == [["new_network"]] * 2 + [[]] * 3


def test_what_is_remembered_of_types_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newness, "ACTORS", 50)
    monkeypatch.setattr(newness, "_MANY", 5)
    days = lived()
    assert days.baseline is not None
    for number in range(100):
        days.see(10, actor="hr", type=f"type-{number}")
        days.see(11, actor="ann", type=f"type-{number}")
    assert len(days.baseline.state["types"]) <= 50
    known = days.baseline.state["actors"]["ann"]
    assert len(known["tried"]) <= 5
    assert len(known["types"]) <= 5
