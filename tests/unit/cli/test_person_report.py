"""``person-report``: the files that a person gets, and what stays in the log."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from commands import command as run

from chained_logging import AuditLog

RECORD = "patient_record/456"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as opened:
        for actor in ("ann", "bob"):
            opened.append("read", actor=actor, resource=RECORD, ip="10.0.0.1", reason="=1+1")
        opened.append("read", actor="ann", resource="patient_record/7", ip="10.0.0.1")
    return path


def test_a_page_and_a_table_are_made_and_recorded(log: Path) -> None:
    done = run("person-report", log, f"--resource={RECORD}", *["-o", "a.html", "-o", "a.csv"])
    assert (done.returncode, done.stderr) == (0, "2 occasions\n")
    assert "2 occasions" in Path("a.html").read_text()
    rows = list(csv.DictReader(Path("a.csv").read_text().splitlines()))
    assert [row["who"] for row in rows] == ["a member of staff"] * 2
    assert rows[0]["why"] == "'=1+1"  # no formula
    assert Path("a.html").stat().st_mode & 0o777 == 0o600
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["action"], last["context"]["how"]) == ("audit_log.read", "person-report")
    assert last["context"]["entries"] == 2


def test_a_tampered_log_makes_a_page_that_says_so(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b'"actor_id":"bob"', b'"actor_id":"eve"'))
    done = run("person-report", log, f"--resource={RECORD}", "-o", "a.html")
    assert done.returncode == 1
    assert "Tampered with" in done.stderr
    assert 'role="alert"' in Path("a.html").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "a.html"], "give either --resource or --subject"),
        (["--resource=a/1", "--subject=1", "-o", "a.html"], "give either"),
        (["--resource=a/1", "-o", "a.pdf"], "must end with .html or .csv"),
        (["--resource=a/1"], "Missing option"),
        (["--resource=a/1", "-o", "there.csv"], "is there already"),
    ],
)
def test_what_cannot_be_made_is_said_and_not_recorded(
    log: Path, options: list[str], said: str
) -> None:
    Path("there.csv").write_text("mine")
    before = log.read_bytes()
    done = run("person-report", log, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert log.read_bytes() == before
    assert Path("there.csv").read_text() == "mine"
