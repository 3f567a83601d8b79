"""The log that the tests of S3 ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from s3_logs import Log


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "audit.jsonl", 40)
