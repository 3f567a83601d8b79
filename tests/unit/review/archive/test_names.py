"""Which files of an archive belong to a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.review.archive.names import archived_name, is_of


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
