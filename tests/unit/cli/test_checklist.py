"""``checklist`` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from commands import Running, command, run


def test_something_that_is_not_met_exits_with_1(signed: tuple[Path, Path, Path]) -> None:
    done = command("checklist", signed[0], "--standard", "hipaa")
    assert done.returncode == 1
    assert "MET  point 1: All required fields" in done.stdout
    assert "NOT MET  164.316(b)(2)(i): Retain the documentation" in done.stdout
    assert done.stderr.startswith("hipaa: ")


def test_json_has_the_evidence(signed: tuple[Path, Path, Path]) -> None:
    done = command("checklist", signed[0], "--standard", "pci", "--json")
    found = json.loads(done.stdout)
    assert found["standard"] == "pci"
    assert found["answers"][0]["found"][0]["seen"][0]["value"] == "9"


def test_the_reading_is_recorded(signed: tuple[Path, Path, Path]) -> None:
    command("checklist", signed[0], "--standard", "soc2", "--reason", "yearly audit")
    (line,) = run("query", signed[0], "--action", "audit_log.read", "--json").splitlines()
    entry = json.loads(line)
    assert entry["context"]["how"] == "checklist"
    assert entry["context"]["standard"] == "soc2"
    assert entry["reason"] == "yearly audit"


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert command("checklist", tmp_path / "no.db", "--standard", "pci").returncode == 2


def test_a_store_that_does_not_answer_is_said_without_its_password(
    signed: tuple[Path, Path, Path],
) -> None:
    url = "postgresql://u:hush@127.0.0.1:1/audit"
    done = command("checklist", signed[0], "--standard", "pci", "--store", url)
    assert "could not be asked" in done.stdout
    assert "hush" not in done.stdout + done.stderr


def test_each_form_is_printed_or_written(signed: tuple[Path, Path, Path]) -> None:
    words = ("checklist", signed[0], "--standard", "gdpr")
    oscal = json.loads(command(*words, "--format", "oscal").stdout)
    assert oscal["assessment-results"]["metadata"]["oscal-version"] == "1.1.3"
    lines = command(*words, "--format", "ocsf").stdout.splitlines()
    assert {json.loads(line)["class_uid"] for line in lines} == {2003}
    file = signed[0].with_name("checklist.html")
    assert command(*words, "-o", file).returncode == 1
    assert file.read_bytes().startswith(b"<!doctype html>")
    assert file.stat().st_mode & 0o777 == 0o600
    other = signed[0].with_name("oscal.json")
    command(*words, "--format", "oscal", "-o", other)
    assert json.loads(other.read_text())["assessment-results"]


def test_a_file_that_exists_is_left_alone(signed: tuple[Path, Path, Path]) -> None:
    file = signed[0].with_name("mine.html")
    file.write_text("mine")
    done = command("checklist", signed[0], "--standard", "pci", "-o", file)
    assert done.returncode == 2
    assert file.read_text() == "mine"


def test_options_that_would_be_ignored_are_refused(signed: tuple[Path, Path, Path]) -> None:
    words = ("checklist", signed[0], "--standard", "pci", "--format", "oscal")
    assert command(*words, "--json").returncode == 2
    assert command(*words, "-o", signed[0].with_name("page.html")).returncode == 2


def test_a_witness_vouches_from_outside_as_long_as_it_is_fresh(
    signed: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    path, key, public = signed
    witness = Running(tmp_path / "w1", "witness.example/w1", public)
    try:
        run("checkpoint", path, "--key", key, *witness.options)
    finally:
        witness.stop()
    words = ("checklist", path, "--standard", "soc2", "--json")

    def outside(*more: object) -> dict[str, Any]:
        answers = json.loads(command(*words, *more).stdout)["answers"]
        (found,) = (one for one in answers[1]["found"] if one["probe"] == "outside")
        return dict(found)

    unknown = outside()
    assert unknown["status"] == "not checkable from here"
    assert unknown["mend"] == "give --witness-key or --timestamp-root"
    known = outside("--witness-key", witness.vkey)
    assert known["status"] == "met"
    assert {piece["where"] for piece in known["seen"]} >= {"witness.example/w1"}


def test_what_other_commands_record_is_what_is_read(signed: tuple[Path, Path, Path]) -> None:
    path = signed[0]
    words = ("checklist", path, "--standard", "iso27001", "--json")

    def statuses() -> dict[str, str]:
        answers = json.loads(command(*words).stdout)["answers"]
        return {one["probe"]: one["status"] for answer in answers for one in answer["found"]}

    before = statuses()
    assert (before["detection"], before["reviewed"]) == ("not met", "not met")
    run("alerts", path)
    review = json.loads(run("review", "start", path, "--since", "30d", "--until", "now", "--json"))
    run("review", "sign", path, review["review"], "--conclusion", "Nothing unusual.")
    after = statuses()
    assert (after["detection"], after["reviewed"]) == ("met", "met")
