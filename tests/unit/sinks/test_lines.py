"""The lines of a JSON Lines log: entries, and the stubs of those that were removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sink_records import Growing, chained

from chained_logging.errors import NotALog
from chained_logging.format.line import stored_line
from chained_logging.format.record import Head, Record
from chained_logging.format.stub import Stub
from chained_logging.sinks.lines import (
    BLOCK,
    first_seq,
    head_of,
    last_entry,
    line_of,
    lines,
    parsed,
    place_before,
    readable,
    stored,
)


def mixed(count: int) -> list[Record | Stub]:
    """Return so many entries, of which each third one was removed."""
    return [Stub(r.seq, r.hash) if r.seq % 3 == 2 else r for r in chained(count)]


def text(items: list[Record | Stub]) -> bytes:
    return b"".join(line_of(item) + b"\n" for item in items)


def test_a_line_is_an_entry_or_a_stub() -> None:
    for item in mixed(3):
        assert parsed(line_of(item)) == item
    for bad in (b"", b"{}", b'{"hash":"00","seq":1}', line_of(mixed(3)[2])[:-1] + b',"x":1}'):
        with pytest.raises(ValueError, match="not a st"):
            parsed(bad)


def test_both_are_read_from_any_place_on(tmp_path: Path) -> None:
    items = mixed(3000)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(text(items))
    assert path.stat().st_size > 2 * BLOCK
    with path.open("rb") as file:
        for start in (0, 1, 2, 1499, 1500, 1501, 2999):
            assert list(stored(file, start)) == items[start:]
            file.seek(0)
            at = place_before(file.fileno(), start)
            line = path.read_bytes()[at:].partition(b"\n")[0]
            assert parsed(line).seq <= start


def test_the_ends_of_a_file_may_be_stubs(tmp_path: Path) -> None:
    items = mixed(9)[2:]
    path = tmp_path / "audit.00000000000000000002.jsonl"
    path.write_bytes(text(items))
    with path.open("rb") as file:
        assert first_seq(file.fileno()) == 2
    assert head_of(path) == Head(8, items[-1].hash)
    assert last_entry(text(items) + b"junk\n") == (Head(8, items[-1].hash), False)
    assert last_entry(b"junk\n") is None
    path.write_bytes(b"junk\n")
    with pytest.raises(NotALog, match="does not end with an entry"):
        head_of(path)


def test_what_is_neither_stops_one_reader_and_not_the_other(tmp_path: Path) -> None:
    items = mixed(4)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(text(items[:2]) + b"junk\n" + text(items[2:]))
    with path.open("rb") as file:
        assert list(readable(file, 0)) == items
    with path.open("rb") as file, pytest.raises(ValueError, match="not a stored line"):
        list(stored(file, 0))


def test_reading_ends_at_a_line_that_is_just_being_written() -> None:
    first, second = (stored_line(r.body, r.hash, None) + b"\n" for r in chained(2))
    file = Growing(first, second[:50], second[50:])
    assert list(lines(file, 0)) == [first[:-1]]
