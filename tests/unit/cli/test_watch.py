"""``watch --once`` and ``health``, as people run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chains import EVENT
from commands import command

from chained_logging import AuditLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        opened.append("read", **EVENT)
    return path


def checks(text: str) -> dict[str, bool | None]:
    return {check["name"]: check["ok"] for check in json.loads(text)}


def test_watch_verifies_and_health_says_when_that_was(log: Path) -> None:
    done = command("watch", log, "--once", "--json")
    assert checks(done.stdout)["intact"] is True
    said = json.loads(command("health", log, "--json").stdout)
    (verified,) = (check for check in said["checks"] if check["name"] == "verified")
    assert verified["ok"]


def test_a_changed_entry_is_wrong(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"patient_record", b"patient_recorD"))
    done = command("watch", log, "--once")
    assert done.returncode == 1
    assert "WRONG   intact      audit.jsonl: Tampered with" in done.stdout


def test_a_log_that_is_not_looked_after_is_said(log: Path) -> None:
    command("watch", log, "--once")
    done = command("health", log, "--max-unverified", "0")
    assert done.returncode == 1
    assert "WRONG   verified    nobody has verified audit.jsonl since 20" in done.stdout
