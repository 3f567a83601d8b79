"""The fixtures that the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import ORIGIN, events, run


@pytest.fixture
def signed(path: Path) -> tuple[Path, Path, Path]:
    """A log, its key's file, and a file with its first public key."""
    key, public = path.with_name("audit.key"), path.with_name("audit.vkey")
    public.write_text(run("keygen", key, "--origin", ORIGIN).splitlines()[-1])
    run("append", path, "--key", key, "--origin", ORIGIN, stdin=events(9))
    return path, key, public
