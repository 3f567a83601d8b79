"""``archive``, and what finds an archive again: ``verify`` and ``query``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archived import archive, key, log, moved
from backed_up import written
from commands import command, run

__all__ = ["archive", "key", "log"]  # fixtures


def test_young_segments_stay(log: Path, archive: Path) -> None:
    done = command("archive", log, "--to", archive, "--older-than", "90d")
    assert done.returncode == 0
    assert f"{archive}: 0 segments with 0 entries moved" in done.stdout
    assert "is not old enough" in done.stderr
    made = json.loads(run("archive", log, "--to", archive, "--older-than", "90d", "--json"))
    assert made["files"] == []


def test_what_was_moved_is_verified_and_found_with_the_archive(log: Path, archive: Path) -> None:
    done = moved(log, archive)
    assert "INTACT" in run("verify", log, "--archive", archive)
    assert "INTACT" in run("verify", log, *sorted(archive.iterdir()))
    found = command("query", log, "--action", "a-3")
    assert found.stdout.count("a-3") == 0
    assert f"entries 0 to {done.entries - 1} are in the archive {archive}" in found.stderr
    found = command("query", log, "--action", "a-3", "--archive", archive, "--json")
    assert json.loads(found.stdout)["action"] == "a-3"
    assert "are in the archive" not in found.stderr
    every = run("query", log, "--archive", archive, "--json").splitlines()
    assert [json.loads(line)["seq"] for line in every] == list(range(len(every)))


def test_a_changed_byte_in_the_archive_is_named(log: Path, archive: Path) -> None:
    moved(log, archive)
    path = sorted(archive.iterdir())[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert command("verify", log, "--archive", archive).returncode == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "postgresql://h/d", "--older-than", "90d"], "an archive is a folder, or s3"),
        (["--to", "/nowhere", "--older-than", "90d"], "is the disk mounted"),
        (["--to", "/tmp", "--older-than", "soon"], "a retention must be"),
    ],
)
def test_what_cannot_be_done_is_said(log: Path, words: list[str], said: str) -> None:
    done = command("archive", log, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_database_has_no_archive(tmp_path: Path, archive: Path) -> None:
    path = written(tmp_path / "audit.db", 3)
    done = command("archive", path, "--to", archive, "--older-than", "90d")
    assert done.returncode == 2
    assert "is a database, which is one file" in done.stderr
    done = command("query", path, "--archive", archive)
    assert done.returncode == 2
    assert "--archive is for logs in JSON Lines" in done.stderr
