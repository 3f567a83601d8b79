"""What a shipper keeps beside the log about each destination."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chained_logging.errors import NotALog
from chained_logging.ship.progress import (
    Progress,
    progress_path,
    read_all_progress,
    read_progress,
    write_progress,
)

ONE = "postgresql://db.example.com/audit"
TWO = "s3://bucket/prefix"


def test_what_was_written_is_read_and_nothing_was_delivered_before(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    assert read_progress(log, ONE) == Progress(ONE)
    first = Progress(ONE, 7, "ab" * 32, 3, 1.5, "it is down", memory={"a": {"number": 1}})
    for progress in (first, Progress(TWO)):
        write_progress(log, progress)
    assert read_progress(log, ONE) == first
    assert sorted(each.destination for each in read_all_progress(log)) == [ONE, TWO]


def test_the_files_name_stays(tmp_path: Path) -> None:
    """Another name would make an upgraded shipper forget what a destination held."""
    path = progress_path(tmp_path / "audit.jsonl", TWO)
    assert path == tmp_path / "audit.jsonl.ship-9737a7d8f5fc"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        json.dumps({"destination": ONE, "sequence": 1}),
        json.dumps({"destination": ONE, "seq": "1"}),
        json.dumps({"destination": ONE, "delivered_at": "today"}),
        json.dumps({"destination": ONE, "memory": None}),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    log = tmp_path / "audit.jsonl"
    path = progress_path(log, ONE)
    path.write_text(text)
    with pytest.raises(NotALog, match="is not a shipper's record of progress"):
        read_progress(log, ONE)
