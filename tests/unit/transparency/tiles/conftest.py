"""The folder that the tests of tiles share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tile_folders import write


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 600 entries that had checkpoints at 20, 300 and 590."""
    folder = tmp_path_factory.mktemp("grown")
    for size in (20, 300, 590, 600):
        write(folder, size)
    return folder
