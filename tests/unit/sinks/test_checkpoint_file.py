"""The file of checkpoints: what a crash or somebody else put there spoils no other line."""

from __future__ import annotations

from pathlib import Path

import pytest
from sink_records import Growing

from chained_logging.errors import LogError
from chained_logging.format.record import NO_CHECKPOINT, StoredCheckpoint
from chained_logging.sinks import checkpoint_file
from chained_logging.sinks.checkpoint_file import (
    append_checkpoint,
    checkpoint_path,
    read_checkpoints,
    recent_checkpoints,
)
from chained_logging.sinks.sink import RECENT


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def stored(size: int) -> StoredCheckpoint:
    return StoredCheckpoint(f"note {size}", size, "", None)


def read(log: Path) -> list[int]:
    return [one.size for _, one in read_checkpoints(log)]


def test_without_a_file_there_are_none(log: Path) -> None:
    assert read(log) == []
    assert recent_checkpoints(log) == []


def test_a_line_that_was_not_finished_is_replaced(log: Path) -> None:
    append_checkpoint(log, stored(1))
    path = checkpoint_path(log)
    with open(path, "ab") as file:
        file.write(b'{"note":"half')
    assert read(log) == [1]
    append_checkpoint(log, stored(2))
    assert read(log) == [1, 2]
    assert b"half" not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_is_just_being_written_is_read_the_next_time(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (1, 2, 3):
        append_checkpoint(log, stored(size))
    first, second, third = checkpoint_path(log).read_bytes().splitlines(keepends=True)
    with monkeypatch.context() as patch:
        file = Growing(first, second[:9], second[9:], third)
        patch.setattr(checkpoint_file, "open_regular", lambda path: file)
        ((mark, found),) = read_checkpoints(log)
    assert (mark, found.size) == (len(first), 1)
    assert [one.size for _, one in read_checkpoints(log, mark)] == [2, 3]


@pytest.mark.parametrize("junk", [b"hello\n", b"{}\n", b'{"note":1,"size":2,"state":""}\n', b"\n"])
def test_what_is_not_a_checkpoint_is_skipped(log: Path, junk: bytes) -> None:
    append_checkpoint(log, stored(1))
    with open(checkpoint_path(log), "ab") as file:
        file.write(junk)
    append_checkpoint(log, stored(2))
    assert read(log) == [1, 2]
    assert NO_CHECKPOINT in recent_checkpoints(log)


def test_a_line_that_is_too_long_spoils_no_other(log: Path) -> None:
    append_checkpoint(log, stored(1))
    with open(checkpoint_path(log), "ab") as file:
        file.write(b"x" * (3 << 19))
    append_checkpoint(log, stored(2))
    assert read(log) == [1, 2]
    with pytest.raises(LogError, match="too long to keep"):
        append_checkpoint(log, StoredCheckpoint("x" * (1 << 19), 3, "", None))
    assert read(log) == [1, 2]


def test_the_recent_ones_are_those_stored_last_the_largest_first(log: Path) -> None:
    for size in range(1, RECENT + 5):
        append_checkpoint(log, stored(size))
    append_checkpoint(log, stored(3))  # others signed it since
    sizes = [one.size for one in recent_checkpoints(log)]
    assert len(sizes) == RECENT
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (RECENT + 4, 3)
