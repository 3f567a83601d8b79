"""The stored bytes, in another file or form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chains import stored
from commands import events, run

from chained_logging.format.line import split_line


def test_without_a_file_the_stored_lines_are_printed(path: Path) -> None:
    run("append", path, stdin=events(3))
    printed = run("export", path)
    copy = path.with_name("copy.jsonl")
    copy.write_text(printed)
    assert stored(copy) == stored(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".db"])
def test_the_copy_has_the_form_of_its_suffix_and_the_same_hashes(path: Path, suffix: str) -> None:
    run("append", path, stdin=events(3))
    copy = path.with_name(f"copy{suffix}")
    assert run("export", path, copy) == ""
    assert stored(copy) == stored(path)
    assert (copy.read_bytes()[:6] == b"SQLite") == (suffix == ".db")
    assert "is there already" in run("export", path, copy, status=2)  # never written over


def test_tiles_go_up_to_the_newest_checkpoint(signed: tuple[Path, Path, Path]) -> None:
    path, key, _ = signed
    tiles = path.with_name("tiles")
    run("export", path, tiles, "--format", "tlog-tiles")
    assert (tiles / "checkpoint").read_text().splitlines()[1] == "10"
    run("append", path, "--key", key, stdin=events(2))
    run("export", path, tiles, "--format", "tlog-tiles")
    assert (tiles / "checkpoint").read_text().splitlines()[1] == "12"


def test_tiles_need_a_folder(signed: tuple[Path, Path, Path]) -> None:
    said = run("export", signed[0], "--format", "tlog-tiles", status=2)
    assert "--format tlog-tiles needs FILE, the folder to write to" in said


def test_a_log_that_is_not_there_is_not_made(path: Path) -> None:
    assert "does not exist" in run("export", path, path.with_name("copy.db"), status=2)
    assert list(path.parent.iterdir()) == []


def test_a_format_of_other_programs_goes_to_a_file_or_is_printed(path: Path) -> None:
    run("append", path, stdin=events(3))
    copy = path.with_name("copy.ocsf.jsonl")
    assert run("export", path, copy, "--format", "ocsf") == ""
    lines = [json.loads(line)["raw_data"] for line in copy.read_text().splitlines()]
    assert [split_line(line.encode())[:2] for line in lines] == [each[1:] for each in stored(path)]
    assert json.loads(lines[-1])["context"]["format"] == "ocsf"  # the export is recorded first
    assert run("export", path, "--format", "ocsf").startswith(copy.read_text())
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "is there already" in run(
        "export", path, copy, "--format", "ecs", status=2
    )  # never written over


@pytest.mark.parametrize("form", ["ocsf", "ecs", "cef", "csv", "fhir", "fhir-r5"])
def test_each_format_has_every_entry(path: Path, form: str) -> None:
    run("append", path, stdin=events(3))
    printed = run("export", path, "--format", form)
    assert len(printed.splitlines()) == (6 if form == "csv" else 5)
