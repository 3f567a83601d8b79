"""The fixtures that all tests share. Their helpers are in ``support/``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# The helpers check too: their assertions say what they compared, as those of a test do.
pytest.register_assert_rewrite(*(file.stem for file in Path(__file__).parent.glob("support/*.py")))

# Their servers, once a run; those of the documentation, once a page.
pytest_plugins = (
    "servers_nats",
    "servers_postgres",
    "servers_s3",
    "servers_documented",
    "skips",
)

# The tests start some thousand programs. Each would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a log may be made, once for each kind of sink."""
    return tmp_path / f"audit.{request.param}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slowest, so that at the end of a run no worker is waited for alone."""
    slow = ("tests/system/", "tests/unit/verify/")
    items.sort(key=lambda item: not item.nodeid.startswith(slow))
