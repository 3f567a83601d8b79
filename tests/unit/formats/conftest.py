"""The entries that the tests of formats share."""

from __future__ import annotations

from pathlib import Path

import pytest
from format_entries import named

from chained_logging import AuditEntry


@pytest.fixture(scope="session")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AuditEntry]:
    """Entries by what they are an example of."""
    return named(Path(tmp_path_factory.mktemp("formats"), "audit.jsonl"))
