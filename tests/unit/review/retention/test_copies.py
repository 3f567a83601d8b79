"""Nothing goes that does not stand elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.retention.copies import Copies, copies_of
from chained_logging.review.retention.survey import MadeBackup
from chained_logging.ship import destination_name
from chained_logging.ship.progress import Progress, write_progress
from chained_logging.sinks import Sink, open_sink

POSTGRES = "postgresql://db.example/audit"
FEED = "syslog+tls://siem.example"


@pytest.fixture
def sink(path: Path) -> Sink:
    with AuditLog(path) as log:
        for _ in range(9):
            log.append("a", **EVENT)
    return open_sink(path)


def shipped(path: Path, url: str, seq: int, problem: str | None = None) -> str:
    name = destination_name(url)
    write_progress(path, Progress(name, seq, "f" * 64, problem=problem))
    return name


def test_without_a_copy_nothing_goes(path: Path, sink: Sink) -> None:
    found = copies_of(path, sink, [], None)
    assert (found.until, found.where) == (-1, ())
    assert "neither shipped to a central store nor backed up" in str(found.problem)


def test_each_destination_must_have_it(path: Path, sink: Sink) -> None:
    name = shipped(path, POSTGRES, 7)
    assert copies_of(path, sink, [], None) == Copies(7, (f"{name} up to entry 7",))
    shipped(path, FEED, 5)
    assert copies_of(path, sink, [], None).until == 5
    assert copies_of(path, sink, [], [POSTGRES]).until == 7  # the other is not in use any more
    found = copies_of(path, sink, [], [POSTGRES, "s3://bucket/prefix"])
    assert (found.until, "has nothing of the log yet" in str(found.problem)) == (-1, True)


def test_a_feed_is_no_copy(path: Path, sink: Sink) -> None:
    shipped(path, FEED, 5)
    assert copies_of(path, sink, [], None).until == -1


def test_a_destination_with_a_problem_stops_all(path: Path, sink: Sink) -> None:
    shipped(path, POSTGRES, 7, problem="it holds another history")
    assert "it holds another history" in str(copies_of(path, sink, [], None).problem)


def test_a_backup_counts_up_to_its_last_entry_if_that_is_the_logs(path: Path, sink: Sink) -> None:
    hashes = [record.hash for record in sink.records()]
    good, bad = MadeBackup("/b", 4, hashes[4]), MadeBackup("/c", 8, hashes[4])
    found = copies_of(path, sink, [good, bad], None)
    assert found == Copies(4, ("backup /b up to entry 4",))
    shipped(path, POSTGRES, 7)
    assert copies_of(path, sink, [good], None).until == 7
    shipped(path, FEED, 2)
    assert copies_of(path, sink, [good], None).until == 2
