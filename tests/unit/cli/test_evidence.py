"""Evidence, made and checked as a person would."""

from __future__ import annotations

import json
import zipfile
from hashlib import sha256
from pathlib import Path

from commands import ORIGIN, command, events, run


def test_evidence_is_made_and_checked(signed: tuple[Path, Path, Path]) -> None:
    path, key, public = signed
    target = path.with_name("e.zip")
    done = command("evidence", path, "-o", target, "--seq", "2-4", "--key", key)
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 of 10 entries of this log, chosen by this filter: seq 2-4" in done.stderr
    text = run("verify", "--evidence", target, "--public-key", public)
    assert text.startswith("INTACT\n  3 of 10 entries")
    assert "nothing is left out between these numbers" in text
    assert "the claim is signed by the log's key" in text
    assert "which is the one given" in text
    found = json.loads(run("verify", "--evidence", target, "--json"))
    assert (found["status"], found["entries"], found["whole"]) == ("intact", 3, True)
    assert run("verify", "--evidence", target, "--quiet") == ""


def test_the_log_records_who_made_it(signed: tuple[Path, Path, Path]) -> None:
    path, _, _ = signed
    target = path.with_name("e.zip")
    run("evidence", path, "-o", target, "--seq", "2-4", "--reason", "audit of 2026")
    entry = json.loads(run("query", path, "--action", "audit_log.read", "--json"))
    with zipfile.ZipFile(target) as archive:
        digest = sha256(archive.read("manifest.json")).hexdigest()
    assert entry["reason"] == "audit of 2026"
    said = {name: entry["context"][name] for name in ("entries", "filter", "how", "manifest")}
    assert said == {"entries": 3, "filter": "seq=2-4", "how": "evidence", "manifest": digest}


def test_what_must_be_recorded_and_is_not_is_not_made(
    signed: tuple[Path, Path, Path],
) -> None:
    path, _, _ = signed
    target = path.with_name("e.zip")
    demand = {"CHAINED_LOGGING_REQUIRE_REASON": "true"}
    assert "a reason must be given" in run("evidence", path, "-o", target, status=2, **demand)
    assert not target.exists()


def test_a_changed_package_ends_with_1(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    target = path.with_name("e.zip")
    run("evidence", path, "-o", target, "--action", "a-3")
    target.write_bytes(target.read_bytes().replace(b'"action":"a-3"', b'"action":"a-4"'))
    done = command("verify", "--evidence", target, "--public-key", public)
    assert done.returncode == 1
    assert "FIRST BREAK  edited: " in done.stdout
    assert "entries.jsonl" in done.stdout
    assert "TAMPERED: " in done.stdout
    done = command("verify", "--evidence", target, "--json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (1, "tampered")


def test_what_cannot_be_checked_ends_with_2(signed: tuple[Path, Path, Path]) -> None:
    path, key, _ = signed
    assert "NOT CHECKED" in run("verify", "--evidence", key, status=2)
    assert "does not apply to evidence" in run("verify", "--evidence", key, "--careful", status=2)
    assert "--evidence" in run("verify", path, "--evidence", key, status=2)


def test_a_sample(signed: tuple[Path, Path, Path]) -> None:
    path, _, _ = signed
    for name in ("a.zip", "b.zip"):
        run("evidence", path, "-o", path.with_name(name), "--sample", 4)
    assert path.with_name("a.zip").read_bytes() == path.with_name("b.zip").read_bytes()
    with zipfile.ZipFile(path.with_name("a.zip")) as archive:
        assert archive.read("entries.jsonl").count(b"\n") == 4
    text = run("verify", "--evidence", path.with_name("a.zip"))
    assert "4 of 10 entries of this log, drawn from the 10 that this filter chooses: all" in text


def test_what_no_checkpoint_covers_is_said(signed: tuple[Path, Path, Path]) -> None:
    path, key, _ = signed
    run("append", path, "--key", key, stdin=events(2))
    target = path.with_name("e.zip")
    done = command("evidence", path, "-o", target, "--size", 10, "--action", "a-1")
    assert "1 more after the checkpoint fit and are left out" in done.stderr


def test_what_is_wrong_is_said(signed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    path, _, public = signed
    target = path.with_name("e.zip")
    assert "--output" in run("evidence", path, status=2)
    assert "no entry" in run("evidence", path, "-o", target, "--action", "x", status=2)
    assert "choose another name" in run("evidence", path, "-o", public, status=2)
    assert "--origin is for the URL" in run(
        "evidence", path, "-o", target, "--origin", ORIGIN, status=2
    )
    assert not target.exists()


def test_a_report_goes_into_the_package(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    page, target = path.with_name("report.html"), path.with_name("e.zip")
    run("report", path, "--standard", "pci", "--from", "2000-01-01Z", "-o", page)
    run("evidence", path, "-o", target, "--seq", "2-4", "--attach", page)
    with zipfile.ZipFile(target) as archive:
        assert archive.read("report.html") == page.read_bytes()
    assert "report.html" in run("verify", "--evidence", target, "--public-key", public)
    target.write_bytes(target.read_bytes().replace(b"Audit report", b"Audit repoRt", 1))
    assert command("verify", "--evidence", target).returncode == 1


def test_what_is_attached_does_not_replace_a_file_of_the_package(
    signed: tuple[Path, Path, Path],
) -> None:
    path, _, _ = signed
    other, target = path.with_name("entries.jsonl"), path.with_name("e.zip")
    other.write_text("{}")
    done = command("evidence", path, "-o", target, "--attach", other)
    assert (done.returncode, "is in the package already" in done.stderr) == (2, True)
    assert not target.exists()
    done = command("evidence", path, "-o", target, "--attach", other, "--attach", other)
    assert (done.returncode, "different names" in done.stderr) == (2, True)
