"""A copy has every entry and hash of the log, or does not exist."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import EVENT, stored
from signed_logs import ORIGIN, Key

from chained_logging import AuditLog
from chained_logging.errors import ForeignFile, NoCheckpoint, NotALog
from chained_logging.format.record import Record
from chained_logging.review.export import (
    converted,
    export_log,
    export_tiles,
    write_converted,
    write_log,
)
from chained_logging.sinks import open_sink


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path, origin=ORIGIN, key=Key()) as log:
        log.append_many([{"action": "a", **EVENT}] * 1200)
    return path


def records(path: Path) -> list[Record]:
    sink = open_sink(path)
    try:
        return list(sink.records())
    finally:
        sink.close()


@pytest.mark.parametrize("suffix", ["jsonl", "db"])
def test_entries_and_checkpoints_are_the_same(log: Path, suffix: str) -> None:
    target = log.with_name(f"copy.{suffix}")
    count, last = export_log(log, target)
    assert stored(target) == stored(log)
    assert (count, last) == (1201, stored(log)[-1][2])
    copies = [one for _, one in open_sink(target).checkpoints()]
    assert copies == [one for _, one in open_sink(log).checkpoints()]
    assert copies
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["copy.jsonl", "copy.jsonl.lock", "copy.jsonl.checkpoints"])
def test_nothing_is_overwritten(log: Path, name: str) -> None:
    there = log.with_name(name)
    there.write_text("mine")
    with pytest.raises(FileExistsError):
        export_log(log, log.with_name("copy.jsonl"))
    assert there.read_text() == "mine"


def broken(log: Path, how: str) -> Iterator[Record]:
    for record in records(log):
        if record.seq != 700:
            yield record
        elif how == "edited":
            yield record._replace(body=record.body.replace(b'"action":"a"', b'"action":"b"'))


@pytest.mark.parametrize("how", ["edited", "missing"])
def test_a_broken_log_leaves_nothing(log: Path, how: str) -> None:
    target = log.parent / "copies" / "copy.jsonl"
    target.parent.mkdir()
    with pytest.raises(ValueError, match=r"broken at seq 70[01]: run chained-logging verify"):
        write_log(target, broken(log, how), iter(()), "the source")
    assert not list(target.parent.iterdir())


def test_a_log_whose_front_is_archived_can_be_copied(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many([{"action": "a", **EVENT}] * 3)
    target = tmp_path / "copy.db"
    count, _ = write_log(target, iter(records(path)[2:]), iter(()), "the source")
    assert count == 2
    with sqlite3.connect(target) as connection:
        assert connection.execute("SELECT min(seq) FROM entries").fetchone() == (2,)
    connection.close()


def test_tiles_need_a_checkpoint_and_a_folder_of_their_own(tmp_path: Path) -> None:
    path, folder = tmp_path / "audit.jsonl", tmp_path / "tiles"
    AuditLog(path, origin=ORIGIN).close()
    with pytest.raises(NoCheckpoint):
        export_tiles(path, folder)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(NotALog, match="other files"):
        export_tiles(path, folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(ForeignFile, match="symbolic link"):
        export_tiles(path, tmp_path / "link")


def test_tiles_are_those_of_the_newest_checkpoint(log: Path, tmp_path: Path) -> None:
    size, written = export_tiles(log, tmp_path / "tiles")
    assert size == 1201
    assert written > 5
    assert export_tiles(log, tmp_path / "tiles") == (size, 0)


def test_a_conversion_names_the_log_and_has_every_entry(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "events"
    assert write_converted(log, "ocsf", target) == 1201
    events = [json.loads(line) for line in target.read_bytes().splitlines()]
    assert [event["metadata"]["sequence"] for event in events] == list(range(1201))
    assert {event["metadata"]["log_name"] for event in events} == {ORIGIN}


@pytest.mark.parametrize("form", ["ocsf", "csv"])
def test_a_conversion_stops_at_the_first_broken_entry(tmp_path: Path, form: str) -> None:
    path, target = tmp_path / "audit.jsonl", tmp_path / "events"
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many([{"action": "a", **EVENT}] * 9)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5] + lines[6:]))  # each hash is right, a link is not
    found = converted(path, form)
    assert len([next(found) for _ in range(6)]) == 6
    with pytest.raises(ValueError, match=r"is broken: .*verify"):
        next(found)
    with pytest.raises(ValueError, match="is broken"):
        write_converted(path, form, target)
    assert not target.exists()
    path.write_bytes(b"".join(lines).replace(b"10.0.0.1", b"10.0.0.2", 1))
    with pytest.raises(ValueError, match="is broken"):
        write_converted(path, form, target)
    assert sorted(tmp_path.iterdir()) == sorted(
        each for each in tmp_path.iterdir() if each.name.startswith("audit.jsonl")
    )
