"""The fixtures that the tests of streams share."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats_logs import Store, stream

__all__ = ["stream"]  # a fixture


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
