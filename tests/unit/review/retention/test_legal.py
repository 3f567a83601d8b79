"""Which stores have holds of their own. What is done there is in tests/unit/ship/s3/test_legal."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging import AuditLog
from chained_logging.review.retention.legal import bring_in, stores_of
from chained_logging.ship.progress import Progress, write_progress


def test_stores_are_those_of_the_configuration_and_those_that_were_shipped_to(path: Path) -> None:
    AuditLog(path).close()
    for name in ("s3://b/old", "postgresql://h/db"):
        write_progress(path, Progress(name))
    assert stores_of(path, ["s3://b/new", "nats://h/S"]) == ["s3://b/new", "s3://b/old"]


def test_other_stores_have_none() -> None:
    with pytest.raises(ValueError, match="no holds of its own"):
        bring_in("postgresql://h/db", None, None)
