"""Kept counts are those that counting again would find, whatever is appended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from viewers import EVERYTHING, Access

from chained_logging import AuditLog
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import FACETS
from chained_logging.review.viewer import counting, tallies
from chained_logging.review.viewer.access import FIELDS, NarrowedEngine
from chained_logging.review.viewer.counting import Counting
from chained_logging.review.viewer.tallies import Tallies, Tally

FILTERS = ["", "actor=user-1", "result=denied", "since=2024-10-03&until=2024-10-09", "seq=3-12"]


def events(first: int, count: int) -> list[dict[str, Any]]:
    return [
        event(
            number % 13,
            ("read", "write")[number % 2],
            actor=f"user-{number % 3}",
            tenant=f"t-{number % 2}",
            result=("success", "denied")[number % 5 == 0],
        )
        for number in range(first, first + count)
    ]


def counted_of(path: Path) -> Tallies:
    return Tallies(Counting(lambda: open_log(str(path))))


def asked(tallies: Tallies, engine: NarrowedEngine, access: Access, text: str) -> Tally:
    tally = tallies.tally(engine, access, Filter.parse(text), FACETS)
    assert tally is not None
    return tally


@pytest.mark.parametrize("access", [EVERYTHING, Access("ann", tenants=["t-1"])])
@pytest.mark.parametrize("text", FILTERS)
def test_what_is_appended_is_counted_once(path: Path, access: Access, text: str) -> None:
    write_log(path, events(0, 20))
    tallies, wanted = counted_of(path), Filter.parse(text)
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, access)
        for round in range(4):
            tally = asked(tallies, engine, access, text)
            assert tally.entries == engine.count(wanted)
            assert tally.days == engine.histogram(wanted)
            assert {column: tally.most(column) for column in FACETS} == engine.facets(wanted)
            with AuditLog(path) as log:
                log.append_many(events(20 + 7 * round, 7))
            engine.store.refresh()


def test_nothing_is_counted_twice_that_did_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(tmp_path / "audit.jsonl", events(0, 20))
    tallies = counted_of(path)
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, EVERYTHING)
        first = asked(tallies, engine, EVERYTHING, "actor=user-1")
        monkeypatch.setattr(engine, "facets", None)
        assert asked(tallies, engine, EVERYTHING, "actor=user-1") == first


def test_what_one_may_see_is_not_kept_for_another(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", events(0, 20))
    tallies = counted_of(path)
    with open_log(str(path)) as whole:
        for access, count in ((EVERYTHING, 21), (Access("a", tenants=["t-1"]), 10)):
            tally = asked(tallies, NarrowedEngine(whole.store, access), access, "")
            assert tally.entries == count
        hiding = Access("b", fields=FIELDS - {"ip_address"})
        tally = asked(tallies, NarrowedEngine(whole.store, hiding), hiding, "")
        assert "ip_address" not in tally.facets


def test_a_log_that_another_took_the_place_of_is_counted_again(tmp_path: Path) -> None:
    tallies = counted_of(tmp_path / "0.jsonl")
    for number in range(2):
        path = write_log(tmp_path / f"{number}.jsonl", events(number, 20 + number))
        with open_log(str(path)) as whole:
            engine = NarrowedEngine(whole.store, EVERYTHING)
            assert asked(tallies, engine, EVERYTHING, "").days == engine.histogram()


def test_an_empty_log_has_an_empty_tally(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, EVERYTHING)
        assert asked(counted_of(path), engine, EVERYTHING, "").entries == 0


@pytest.mark.parametrize("few", [False, True])
def test_a_large_log_is_counted_apart_unless_a_page_has_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    monkeypatch.setattr(tallies, "FEW", 1)
    monkeypatch.setattr(counting, "PATIENCE", 0.0)
    path = write_log(tmp_path / "audit.jsonl", events(0, 20))
    kept = counted_of(path)
    with open_log(str(path)) as whole:
        engine = NarrowedEngine(whole.store, EVERYTHING)
        first = kept.tally(engine, EVERYTHING, Filter(), FACETS, few=few)
        assert (first is not None) is few
        while first is None:
            first = kept.tally(engine, EVERYTHING, Filter(), FACETS)
        assert first.days == engine.histogram()
