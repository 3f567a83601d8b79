"""Logs and backups of them, for tests: and a folder that is on another disk than the tests'."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.review.backup.make import Backup, make_backup

ORIGIN = "example.com/audit/web"
SEGMENT = 4_000
"""Bytes of a segment: a few entries."""


def written(path: Path, entries: int, **options: Any) -> Path:
    """Make a log, or go on with one; in JSON Lines by segments."""
    if path.suffix == ".jsonl":
        options.setdefault("max_bytes", SEGMENT)
    with AuditLog(path, origin=ORIGIN, **options) as log:
        log.append_many([{"action": f"a-{n}", **EVENT} for n in range(entries)])
        for n in range(entries):
            log.append(f"b-{n}", **EVENT)
    return path


def backed_up(path: Path, destination: object, **options: Any) -> Backup:
    """Back a log up, wherever that is."""
    with AuditLog(path, sign="follow", on_failure="raise") as log:
        return make_backup(log, str(destination), same_place=True, **options)


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def log(path: Path, key: PrivateKey) -> Path:
    """A signed log of a few segments, or a database."""
    return written(path, 40, key=key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backup"
    made.mkdir()
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk than the log's."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or os.stat(memory).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is no second file system here to make a backup on")
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)
