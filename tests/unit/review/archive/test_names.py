"""Which files of an archive belong to a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.review.archive.names import archived_name, is_of, month_name, span_of


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("audit.00000000000000000007.jsonl.gz", True),
        ("audit.00000000000000000007.jsonl", False),
        ("audit.7.jsonl.gz", False),
        ("other.00000000000000000007.jsonl.gz", False),
        ("../audit.00000000000000000007.jsonl.gz", False),
        ("audit.00000000000000000007.jsonl.gz\n", False),
        ("auditx00000000000000000007.jsonl.gz", False),
    ],
)
def test_a_file_of_a_log_is_known_by_its_name(name: str, of: bool) -> None:
    assert is_of(name, Path("/var/log/audit.jsonl")) is of


def test_a_segment_keeps_its_name() -> None:
    segment = Path("/var/log/audit.00000000000000000007.jsonl")
    assert is_of(archived_name(segment), Path("/srv/audit.jsonl"))


def test_a_file_of_months_names_its_log_and_its_entries() -> None:
    name = month_name("example.com/audit", 7, 12)
    assert name == f"example.com_2Faudit.{7:020d}-{12:020d}.jsonl.gz"
    assert span_of(name, "example.com/audit") == (7, 12)
    assert span_of(name, "example.com/other") is None
    assert span_of(month_name("example.com/audit", 12, 7), "example.com/audit") is None
    assert span_of(name.replace("-", "+"), "example.com/audit") is None
