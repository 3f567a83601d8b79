"""What retention removed is gone from the next backup too, and stubs are restored as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from backed_up import backed_up, folder
from retention_logs import everything_in, fill, old, purge, stubs

from chained_logging import AuditLog, verify
from chained_logging.review.backup.folder import FolderBackup
from chained_logging.review.backup.trial import try_backup
from chained_logging.review.furthest import furthest
from chained_logging.review.restore import restore
from chained_logging.review.retention.policies import Policy
from chained_logging.sinks import open_sink

__all__ = ["folder"]  # a fixture

YEAR = Policy("year", 365)


@pytest.fixture
def log(path: Path) -> Path:
    fill(path, [old(400, note=f"secret-{n}") for n in range(30)])
    return path


def origin_of(path: Path) -> str:
    with AuditLog(path, sign="follow") as log:
        return log.origin


def test_a_purged_log_replaces_its_backup(log: Path, folder: Path) -> None:
    backed_up(log, folder)
    assert b"secret" in everything_in(folder)
    purge(log, YEAR)
    with AuditLog(log, sign="follow") as opened:
        trial = try_backup(opened, str(folder))
    assert (trial.result, trial.faults) == ("intact", [])  # of before, and not another history
    backed_up(log, folder)
    assert b"secret" not in everything_in(folder)
    assert stubs(folder / log.name) == stubs(log)
    assert verify(folder / log.name).intact
    with AuditLog(log, sign="follow") as opened:
        trial = try_backup(opened, str(folder))
    assert (trial.result, trial.faults) == ("intact", [])


@pytest.mark.parametrize("suffix", [".db", ".jsonl"])
def test_stubs_are_restored(log: Path, folder: Path, tmp_path: Path, suffix: str) -> None:
    purge(log, YEAR)
    backed_up(log, folder)
    origin = origin_of(log)
    target = tmp_path / "rebuilt" / f"audit{suffix}"
    target.parent.mkdir()
    store = FolderBackup(folder)
    done = restore(furthest([store], origin), origin, target)
    there = list(store.stored(origin))
    assert list(open_sink(target).stored())[:-1] == there
    assert done.entries == len(there)
    assert stubs(target) == stubs(log) != set()
    report = verify(target)
    assert report.intact, report.faults
    with AuditLog(target) as again:
        again.append("goes on", actor="user-1", ip="10.0.0.1")
    assert verify(target).intact
