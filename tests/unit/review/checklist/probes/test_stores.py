"""Without a store nothing is append-only. Real stores are in test_postgres.py and test_s3.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import is_met, looked, recorded

from chained_logging.review.checklist.answer import Status
from chained_logging.review.checklist.subject import Subject


@pytest.mark.parametrize("probe", ["append_only", "worm"])
def test_a_file_alone_is_not_enough(path: Path, probe: str) -> None:
    found = looked(recorded(path), probe)
    assert not is_met(found)
    assert "chained-logging init" in (found.mend or "")


def test_a_store_that_cannot_be_asked_is_not_met(path: Path) -> None:
    subject = Subject(str(recorded(path)), stores=("postgresql://u@127.0.0.1:1/audit",))
    assert looked(subject, "append_only").status is Status.UNSEEN


def test_who_reads_elsewhere_is_not_seen(path: Path) -> None:
    assert looked(recorded(path), "who_reads").status is Status.UNSEEN
