"""All baselines over one reading of a log, and what they remember of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chained_logging import AuditLog
from chained_logging.review.detect.baselines import detector
from chained_logging.review.detect.baselines.calendar import Calendar
from chained_logging.review.detect.baselines.detector import ALL, Baselines, Watching, watched
from chained_logging.review.detect.baselines.memory import Memory
from chained_logging.review.detect.finding import Finding
from chained_logging.review.detect.reading import Entry
from chained_logging.review.opening import open_log
from chained_logging.sinks import open_sink


def days_of(count: int, each: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the events of somebody who reads some records on each of several days."""
    for day in range(first, first + count):
        for number in range(each):
            when = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC) + dt.timedelta(day, number)
            yield {
                "action": "read",
                "actor": "ann",
                "resource": f"record/{number}",
                "ip": "10.0.0.1",
                "timestamp": when,
            }


@pytest.fixture(params=["audit.jsonl", "audit.db"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    append(path, days_of(10, 10))
    append(path, days_of(1, 100, first=10))
    return path


def append(path: Path, events: Iterator[dict[str, Any]]) -> None:
    with AuditLog(path) as opened:
        opened.append_many(list(events))


def found(path: Path, after: int = -1, upto: int = 10**9, **given: Any) -> list[Finding]:
    with open_log(str(path)) as engine:
        return list(Baselines(**given).findings(engine, after, upto))


def test_a_log_is_read_from_its_store(log: Path) -> None:
    assert {one.rule for one in found(log)} == {"access_spike", "strange_records"}


def test_what_is_read_in_parts_is_what_is_read_at_once(log: Path) -> None:
    at_once = found(log, kept=False)
    parts = [one for n in range(-1, 201, 7) for one in found(log, n, n + 7)]
    assert parts == at_once
    parts = [one for n in range(-1, 201, 7) for one in found(log, n, n + 7, kept=False)]
    assert parts == at_once


def test_entries_before_are_context_and_not_told_of_again(log: Path) -> None:
    assert found(log, 100)
    assert not found(log, 200)


@pytest.fixture
def each_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is kept after each reading, and not only after many entries."""
    monkeypatch.setattr(detector, "STEP", 1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The entries that the baselines look at."""
    read: list[int] = []
    see = Watching.see

    def seen(self: Watching, entry: Entry) -> list[Finding]:
        read.append(entry.seq)
        return see(self, entry)

    monkeypatch.setattr(detector.Watching, "see", seen)
    return read


@pytest.mark.usefixtures("each_kept")
def test_only_what_is_new_is_read(log: Path, read: list[int]) -> None:
    found(log, -1, 150)
    del read[:]
    assert found(log, 150)
    assert min(read) == 151


def test_the_same_object_goes_on_where_it_ended(log: Path, read: list[int]) -> None:
    at_once = found(log, kept=False)
    looking = Baselines()
    with open_log(str(log)) as engine:
        del read[:]
        parts = [*looking.findings(engine, -1, 120), *looking.findings(engine, 120, 150)]
        assert [*parts, *looking.findings(engine, 150, 200)] == at_once
        assert read == list(range(201))
        again = [*looking.findings(engine, 150, 200)]  # nobody noted what it found
        assert again == [one for one in at_once if one.entries[-1] > 150]


def test_what_was_left_in_the_middle_is_looked_at_again(log: Path) -> None:
    at_once = found(log, kept=False)
    looking = Baselines()
    with open_log(str(log)) as engine:
        next(looking.findings(engine, -1, 200))
        assert [*looking.findings(engine, -1, 200)] == at_once


def test_the_memory_of_one_log_is_not_that_of_another(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    append(other, days_of(10, 10))
    append(other, days_of(1, 100, first=10))
    looking = Baselines()
    with open_log(str(log)) as engine, open_log(str(other)) as second:
        list(looking.findings(engine, -1, 150))
        assert list(looking.findings(second, 150, 200)) == found(other, 150, 200)


def test_the_file_is_written_again_after_some_entries_only(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "STEP", 100)
    looking = Baselines()
    with open_log(str(log)) as engine:
        memory = Memory(engine, Calendar().name)
        places = []
        for after, upto in ((-1, 90), (90, 120), (120, 200)):
            list(looking.findings(engine, after, upto))
            places.append(memory.recall(10**9).seq)
    assert places == [-1, 120, 120]


@pytest.mark.usefixtures("each_kept")
def test_another_zone_is_another_memory(log: Path) -> None:
    found(log)
    with open_log(str(log)) as engine:
        assert Memory(engine, Calendar("Europe/Berlin").name).recall(10**9).seq == -1
        assert Memory(engine, Calendar().name).recall(10**9).seq > 100


def test_an_edited_entry_is_left_to_the_verifier(log: Path) -> None:
    records = list(open_sink(log).records())
    torn = [record._replace(body=b"{}") if record.seq == 5 else record for record in records]
    rules = {one.rule for one in watched(torn, Calendar())}
    assert "access_spike" in rules


def test_each_baseline_has_a_name_and_a_state_of_its_own() -> None:
    states: dict[str, dict[str, Any]] = {}
    Watching(Calendar(), states)
    assert len(states) == len(ALL)


def test_a_wrong_zone_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no zone"):
        Baselines("Nowhere/Land")
