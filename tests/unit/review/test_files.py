"""Which files a JSON Lines log is, in which order, and what is read of each."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.errors import NotALog, NotAnEntry
from chained_logging.format.line import position
from chained_logging.review import files
from chained_logging.review.files import JsonlSource


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        opened.append_many([{"action": "read", **EVENT}] * 9)
    return path


def seqs(log: Path) -> list[int]:
    return [position(found.body)[0] for found in JsonlSource(log).entries()]


def cut(log: Path, *parts: tuple[str, int, int]) -> None:
    """Replace a log by files with some of its lines each."""
    lines = log.read_bytes().splitlines(keepends=True)
    log.unlink()
    for name, start, end in parts:
        data = b"".join(lines[start:end])
        path = log.with_name(name)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


@pytest.mark.parametrize(
    "parts",
    [
        [("audit.jsonl.2.gz", 0, 3), ("audit.jsonl.1", 3, 6), ("audit.jsonl", 6, 10)],
        [("audit.jsonl-20261127", 0, 5), ("audit.jsonl", 5, 10)],
        [("audit.00000000000000000000.jsonl", 0, 5), ("audit.jsonl", 5, 10)],
        [("audit.00000000000000000000.jsonl.gz", 0, 10), ("audit.jsonl", 10, 10)],
        [("audit.jsonl", 0, 10), ("audit.jsonl.1", 0, 4)],  # a copy
        [("audit.jsonl.1.gz", 0, 8), ("audit.jsonl", 4, 10)],  # a copy in part
        [("audit.jsonl.1", 0, 8), ("audit.jsonl", 4, 10)],
    ],
)
def test_each_entry_is_read_once_and_in_order(log: Path, parts: list[tuple[str, int, int]]) -> None:
    cut(log, *parts)
    assert seqs(log) == list(range(10))
    source = JsonlSource(log)
    places = [(number, found.place) for number, found in enumerate(source.entries())]
    again = [record.seq for record in source.read(places[::-1]) if record is not None]
    assert again == list(range(9, -1, -1))
    for seq, place in places:
        assert [position(found.body)[0] for found in source.entries(seq, place)] == list(
            range(seq, 10)
        )


def test_a_compressed_file_is_only_read_forward(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step back would unpack it from its beginning again."""
    cut(log, ("audit.jsonl.1.gz", 0, 8), ("audit.jsonl", 8, 10))
    asked: list[int] = []
    entry_at = files._entry_at

    def noted(file: Any, place: int) -> Any:
        asked.append(place)
        return entry_at(file, place)

    monkeypatch.setattr(files, "_entry_at", noted)
    source = JsonlSource(log)
    places = [(number, found.place) for number, found in enumerate(source.entries())][:8]
    assert [record and record.seq for record in source.read(places[::-1])] == list(range(8))[::-1]
    assert asked == sorted(asked)


def test_a_log_may_have_more_files_than_may_be_open(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(log, *((f"audit.jsonl.{10 - n}", n, n + 1) for n in range(9)), ("audit.jsonl", 9, 10))
    opened: list[Any] = []
    open_regular = files.open_regular

    def counted(path: Path) -> Any:
        assert sum(not handle.closed for handle in opened) < 2
        opened.append(open_regular(path))
        return opened[-1]

    monkeypatch.setattr(files, "open_regular", counted)
    assert seqs(log) == list(range(10))
    read = JsonlSource(log).read([(seq, 0) for seq in range(10)])
    assert [record and record.seq for record in read] == list(range(10))
    assert all(handle.closed for handle in opened)


def test_a_file_that_is_moved_while_the_log_is_read_is_found_again(log: Path) -> None:
    cut(log, ("audit.jsonl.1", 0, 5), ("audit.jsonl", 5, 10))
    found = JsonlSource(log).entries()
    read = [position(next(found).body)[0]]
    log.with_name("audit.jsonl.1").rename(log.with_name("audit.jsonl.2"))
    log.rename(log.with_name("audit.jsonl.1"))
    read += [position(one.body)[0] for one in found]
    assert read == list(range(10))
    log.with_name("audit.jsonl.1").unlink()
    log.touch()
    assert seqs(log) == list(range(5))


def test_other_files_are_not_of_the_log(log: Path) -> None:
    for name in ("audit.jsonl.bak", "audit2.jsonl", "audit.jsonl.torn-1-2", "xaudit.jsonl.1"):
        log.with_name(name).write_bytes(b"other\n")
    assert seqs(log) == list(range(10))


def test_a_torn_last_line_is_left_out(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-9])
    assert seqs(log) == list(range(9))


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        (b"not a log\n", NotALog, "does not begin with an entry"),
        (gzip.compress(b"x" * 1000, mtime=0)[:20], NotALog, "does not begin|damaged"),
    ],
)
def test_what_is_not_a_log_is_refused(
    log: Path, content: bytes, error: type[Exception], why: str
) -> None:
    log.write_bytes(content)
    with pytest.raises((error, NotAnEntry), match=why):
        seqs(log)


def test_a_line_that_is_not_an_entry_is_named_by_its_place(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], b"{}\n", *lines[2:]]))
    with pytest.raises(NotAnEntry, match=f"at byte {len(lines[0]) + len(lines[1]):,}"):
        seqs(log)


def test_a_damaged_gzip_is_said(log: Path) -> None:
    data = gzip.compress(log.read_bytes() * 50)
    log.write_bytes(data[: len(data) // 2])
    with pytest.raises(NotAnEntry, match="damaged, or not complete"):
        seqs(log)


def test_a_line_without_end_is_refused(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"x" * (3 << 20))
    with pytest.raises(NotAnEntry, match="longer than an entry can be"):
        seqs(log)
