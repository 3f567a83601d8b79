"""Logs with segments that are to be moved to an archive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from backed_up import written

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.review.archive.move import Moved, move
from chained_logging.review.archive.stores import DAY, open_archive

LATER = 100 * DAY
"""Seconds after which all that is written now is old."""


def moved(path: Path, archive: object, *, later: float = LATER, **options: Any) -> Moved:
    """Move the segments of a log that are older than 90 days, after some time."""
    options.setdefault("sign", "follow")
    with AuditLog(path, on_failure="raise", **options) as log:
        return move(log, open_archive(str(archive)), 90, now=time.time() + later)


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def log(tmp_path: Path, key: PrivateKey) -> Path:
    return written(tmp_path / "audit.jsonl", 60, key=key)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made
