"""The command hold: added, listed and released as a person would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import command, events, run

from chained_logging import AuditLog, verify


def test_a_hold_is_added_listed_and_released(signed: tuple[Path, Path, Path]) -> None:
    path, key, _ = signed
    why = ("--reason", "a lawsuit")
    done = command("hold", "add", path, "--case", "c-1", "--action", "a-3", "--since", "30d", *why)
    assert done.returncode == 0, done.stderr
    assert "1 entry so far: with action a-3, since" in done.stderr
    added = json.loads(done.stdout)
    assert (added["action"], added["reason"]) == ("hold.add", "a lawsuit")
    assert set(added["context"]["filter"]) == {"action", "since"}
    assert added["on_behalf_of"]
    shown = run("hold", "list", path)
    assert shown.startswith("c-1: with action a-3, since ")
    assert "because: a lawsuit" in shown
    assert f"by {added['on_behalf_of']}" in shown
    assert "give it with --key" in run("hold", "release", path, "--case", "c-1", *why, status=2)
    run("hold", "release", path, "--case", "c-1", "--reason", "over", "--key", key)
    assert run("hold", "list", path, "--json") == ""
    (one,) = map(json.loads, run("hold", "list", path, "--json", "--all").splitlines())
    assert (one["case"], one["seq"], one["released"]) == ("c-1", 10, 11)
    assert "released by entry 11" in run("hold", "list", path, "--all")
    assert verify(path).intact


def test_a_release_that_counts_for_nothing_is_said(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    run("hold", "add", path, "--case", "c-1", "--all", "--reason", "r")
    run("revoke-key", path, "--public-key", public, "--reason", "stolen")
    release = ("hold", "release", path, "--case", "c-1", "--reason", "over", "--key", key)
    done = command(*release)
    assert done.returncode == 1
    assert "does not release the case 'c-1': the log's key was revoked before it" in done.stderr
    assert run("hold", "list", path).startswith("c-1: ")


def test_a_resource_is_named_by_type_and_id_or_by_type(path: Path) -> None:
    run("append", path, stdin=events(1))
    for resource in ("patient_record/456", "patient_record"):
        run("hold", "add", path, "--case", "c", "--resource", resource, "--reason", "r")
    found = [
        json.loads(line)["filter"] for line in run("hold", "list", path, "--json").splitlines()
    ]
    assert found == [
        {"resource_id": "456", "resource_type": "patient_record"},
        {"resource_type": "patient_record"},
    ]


@pytest.mark.parametrize("options", [[], ["--all", "--actor", "a"]])
def test_what_to_keep_must_be_said(path: Path, options: list[str]) -> None:
    run("append", path, stdin=events(1))
    error = run("hold", "add", path, "--case", "c", "--reason", "r", *options, status=2)
    assert "give --all alone" in error
    with AuditLog(path) as log:
        assert log.last_seq == 1


def test_everything_can_be_held(path: Path) -> None:
    run("append", path, stdin=events(1))
    run("hold", "add", path, "--case", "c", "--reason", "r", "--all")
    assert run("hold", "list", path).startswith("c: all entries, by ")


def test_without_a_log_nothing_is_made(path: Path) -> None:
    error = run("hold", "add", path, "--case", "c", "--reason", "r", "--all", status=2)
    assert "does not exist" in error
    assert not path.exists()


def test_no_holds(path: Path) -> None:
    run("append", path, stdin=events(1))
    done = command("hold", "list", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no holds\n")
