"""``backup`` and ``backup-test``, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backed_up import elsewhere, folder, key, log
from commands import command, run

__all__ = ["elsewhere", "folder", "key", "log"]  # fixtures


def test_a_backup_is_made_and_tested(log: Path, elsewhere: Path) -> None:
    done = command("backup", log, elsewhere)
    assert done.returncode == 0, done.stderr
    assert "entries, verified, the last hash" in done.stdout
    assert "is in memory" in done.stderr
    made = json.loads(run("backup", log, elsewhere, "--json"))
    assert made["destination"] == str(elsewhere)
    tried = json.loads(run("backup-test", log, elsewhere, "--json"))
    assert (tried["result"], tried["entries"]) == ("intact", made["entries"])
    assert "intact, " in run("backup-test", log, elsewhere)
    assert "INTACT" in run("verify", elsewhere)


def test_a_copy_beside_the_log_must_be_wanted(log: Path, folder: Path) -> None:
    done = command("backup", log, folder)
    assert done.returncode == 2
    assert "that would not be a backup" in done.stderr
    done = command("backup", log, folder, "--same-place-anyway")
    assert done.returncode == 0
    assert "WARNING: not apart from the log" in done.stderr


def test_a_damaged_backup_ends_with_1(log: Path, folder: Path) -> None:
    run("backup", log, folder, "--same-place-anyway")
    path = folder / log.name if log.suffix == ".db" else sorted(folder.glob("audit.0*"))[1]
    path.write_bytes(path.read_bytes().replace(b"10.0.0.1", b"10.0.0.2"))
    done = command("backup-test", log, folder)
    assert done.returncode == 1
    assert "edited" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nats://h/S"], "a backup goes to a folder"),
        (["/nowhere/at/all"], "No such file"),
        (["/tmp", "--patience", "3"], "applies to stores only"),
    ],
)
def test_what_cannot_be_done_is_said(log: Path, words: list[str], said: str) -> None:
    done = command("backup", log, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, folder: Path) -> None:
    for name in ("backup", "backup-test"):
        assert command(name, tmp_path / "missing.db", folder).returncode == 2
    assert not (tmp_path / "missing.db").exists()
