"""Rewriting segments: whole, and each by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from retention_logs import fill, left, old, stubs

from chained_logging.errors import BrokenLog
from chained_logging.format.line import GENESIS
from chained_logging.format.record import Record
from chained_logging.sinks import removal_segments
from chained_logging.sinks.removal_segments import give_back, mend_manifest, removals
from chained_logging.sinks.segments import describe, read_manifest, segment_paths


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    fill(path, [old(9, note="secret" * 9) for _ in range(40)])
    assert len(segment_paths(path)) > 3
    return path


def test_a_range_is_cut_where_segments_end(log: Path) -> None:
    pieces = list(removals(log, [(1, 3), (5, 39)]))
    listed = read_manifest(log)
    assert [piece._path for piece in pieces] == segment_paths(log)[: len(pieces)]
    assert pieces[0]._named == [(1, 3), (5, listed[0].last_seq)]
    assert pieces[1]._named == [(listed[1].first_seq, listed[1].last_seq)]


def test_segments_without_a_named_entry_are_left_as_they_are(log: Path) -> None:
    first, second, *_ = segment_paths(log)
    before = first.stat().st_mtime_ns, second.read_bytes()
    (piece,) = removals(log, [(1, 2)])
    piece.prepare(lambda record: False)
    assert piece.commit(lambda record: False) == 0
    assert (first.stat().st_mtime_ns, second.read_bytes()) == before
    assert not list(log.parent.glob("*.new"))


def test_lines_that_are_no_entries_stay(log: Path) -> None:
    first = segment_paths(log)[0]
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([*lines[:2], b"junk\n", b"x" * 70_000 + b"\n", *lines[2:]]))
    (piece,) = removals(log, [(1, 2)])
    piece.prepare(lambda record: True)
    assert piece.commit(lambda record: True) == 2
    after = first.read_bytes().splitlines(keepends=True)
    assert after[2:4] == [b"junk\n", b"x" * 70_000 + b"\n"]
    assert after[0] == lines[0]
    assert after[5:] == lines[3:]


def test_a_segment_that_was_changed_meanwhile_is_not_replaced(log: Path) -> None:
    first = segment_paths(log)[0]
    (piece,) = removals(log, [(1, 2)])
    piece.prepare(lambda record: True)
    first.write_bytes(first.read_bytes() + b"x\n")
    with pytest.raises(BrokenLog, match="was changed while"):
        piece.commit(lambda record: True)
    assert not list(log.parent.glob("*.new"))


def test_two_commands_at_the_same_time_lose_nothing(log: Path) -> None:
    (mine,), (other,) = removals(log, [(1, 2)]), removals(log, [(1, 2)])
    mine.prepare(lambda record: True)

    def meanwhile(record: Record) -> bool:
        if record.seq == 1:
            assert mine.commit(lambda record: True) == 2
            assert len(left(log)) == 42
        return True

    other.prepare(meanwhile)
    with pytest.raises(BrokenLog, match="was changed while"):
        other.commit(lambda record: True)
    assert stubs(log) == {1, 2}
    assert len(left(log)) == 42
    assert not list(log.parent.glob("*.new"))


def test_a_draft_that_another_command_removed_takes_no_place(log: Path) -> None:
    (piece,), (mending,) = removals(log, [(1, 2)]), give_back(log)
    piece.prepare(lambda record: True)
    mending.commit(lambda record: True)
    assert not list(log.parent.glob("*.new"))
    with pytest.raises(BrokenLog, match="was changed while"):
        piece.commit(lambda record: True)
    assert len(left(log)) == 42


def test_nobody_waits_while_a_segment_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (piece,) = removals(log, [(0, 3)])
    piece.prepare(lambda record: True)
    with monkeypatch.context() as patched:
        patched.delattr(removal_segments, "describe")
        assert piece.commit(lambda record: True) == 4
    (listed, *_), path = read_manifest(log), segment_paths(log)[0]
    assert listed == describe(path, GENESIS)


def test_its_mode_stays(log: Path) -> None:
    first = segment_paths(log)[0]
    first.chmod(0o640)
    (piece,) = removals(log, [(1, 2)])
    piece.prepare(lambda record: True)
    piece.commit(lambda record: True)
    assert first.stat().st_mode & 0o777 == 0o640
    assert stubs(log) == {1, 2}


def test_the_manifest_is_mended_only_where_it_is_wrong(log: Path) -> None:
    before = read_manifest(log)
    mend_manifest(log)
    assert read_manifest(log) == before
    (piece,) = removals(log, [(1, 2)])
    piece.prepare(lambda record: True)
    piece.commit(lambda record: True)
    after = read_manifest(log)
    assert after[1:] == before[1:]
    assert (after[0].first_seq, after[0].last_hash) == (before[0].first_seq, before[0].last_hash)
    assert after[0].bytes < before[0].bytes
    assert len(left(log)) == 42
