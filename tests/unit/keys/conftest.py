"""The fixtures that the tests of keys share."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging.keys import pem


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a key may be kept."""
    return tmp_path / "audit.key"


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not the strength of an encrypted key that is tested."""
    monkeypatch.setattr(pem, "ITERATIONS", 1000)
