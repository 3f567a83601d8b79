"""Commands that show entries record that, or say why they do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from commands import command as run

from chained_logging import AuditLog


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        opened.append_many([{**EVENT, "action": "read", "actor": f"user-{n}"} for n in range(9)])
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries about readings."""
    entries = map(json.loads, path.read_text().splitlines())
    return [entry for entry in entries if entry["action"] == "audit_log.read"]


@pytest.mark.parametrize(
    ("options", "context"),
    [
        (["query", "--actor=user-3"], {"how": "query", "entries": 1, "filter": "actor=user-3"}),
        (["query", "--limit=4", "--csv"], {"how": "query", "entries": 4}),
        (["query", "--json"], {"how": "query", "entries": 10}),
        (
            ["query", "--question=logins"],
            {"how": "query", "entries": 10, "question": "logins"},
        ),
        (["export"], {"how": "export", "entries": 10}),
        (["export", "copy.db"], {"how": "export", "entries": 10}),
    ],
)
def test_what_was_shown_is_in_the_log(
    log: Path, options: list[str], context: dict[str, Any]
) -> None:
    command, *more = options
    done = run(command, log, *more, "--reason", "a complaint")
    assert (done.returncode, "not recorded" in done.stderr) == (0, False)
    (entry,) = read(log)
    assert entry["reason"] == "a complaint"
    assert entry["on_behalf_of"]
    assert context.items() <= entry["context"].items()
    assert ("filter" in entry["context"]) == ("filter" in context)


def test_the_entry_about_it_is_not_among_what_is_shown(log: Path) -> None:
    for options in (["--json"], ["--csv"], []):
        before = len(log.read_text().splitlines())
        done = run("query", str(log), *options)
        shown = len(done.stdout.splitlines()) - (options != ["--json"])
        assert shown == before
        assert f"{before} entries" in done.stderr or options


def test_who_read_the_log_is_shown(log: Path) -> None:
    run("query", log, "--limit=1")
    person = read(log)[0]["on_behalf_of"]
    shown = run("query", log, "--action=audit_log.read").stdout.splitlines()[1]
    assert f"  {person} (by the log)"[:20] in shown


def test_a_copy_is_shown_and_says_that_it_was_not_recorded(log: Path) -> None:
    shutil.copy(log, "copy.jsonl")
    done = run("query", "copy.jsonl")
    assert done.returncode == 0
    assert "this reading is not recorded: copy.jsonl is a copy" in done.stderr
    assert "user-3" in done.stdout


def test_nothing_is_shown_that_must_be_recorded_and_cannot_be(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(log, "copy.jsonl")
    monkeypatch.setenv("CHAINED_LOGGING_REQUIRE_RECORDED_READS", "true")
    for command in (["query"], ["query", "--json"], ["export"]):
        done = run(*command, "copy.jsonl")
        assert (done.returncode, done.stdout) == (2, "")
        assert "is a copy" in done.stderr
    monkeypatch.setenv("CHAINED_LOGGING_RECORD_READS_IN", "reads.jsonl")
    assert run("query", "copy.jsonl").returncode == 0
    (entry,) = read(Path("reads.jsonl"))
    assert entry["context"]["log"] == "copy.jsonl"


def test_a_reason_is_demanded_by_the_configuration(log: Path) -> None:
    Path("chained-logging.toml").write_text('log = "audit.jsonl"\nrequire_reason = true\n')
    done = run("query")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a reason must be given" in done.stderr
    assert read(log) == []
    assert run("query", "--reason", "a complaint").returncode == 0
