"""What is saved from a page is what the log holds, and can be checked without it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from chains import stored
from periods import event, write_log
from signed_logs import ORIGIN, Key, pin
from viewers import Access, client

from chained_logging.format.line import stored_line
from chained_logging.verify import verify_proof

EVENTS = [event(number, actor=("ann", "=cmd()")[number % 2]) for number in range(1200)]
KEY = Key()


@pytest.fixture(scope="module", params=["jsonl", "db"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    return write_log(folder / f"audit.{request.param}", EVENTS, key=KEY, origin=ORIGIN)


@pytest.fixture
def viewer(path: Path) -> Any:
    return client(path)


def test_json_lines_are_the_stored_bytes_of_all_that_is_found(path: Path, viewer: Any) -> None:
    lines = [stored_line(body, hash) for _, body, hash in stored(path)]
    answer = viewer.get("/entries.jsonl")
    assert answer.content.splitlines() == lines
    assert 'filename="entries.jsonl"' in answer.headers["content-disposition"]
    answer = viewer.get("/entries.jsonl?actor=ann")
    assert answer.content.splitlines() == [line for line in lines if b'"actor_id":"ann"' in line]


def test_csv_has_every_field_and_no_formula(viewer: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(viewer.get("/entries.csv?seq=1-4").text)))
    assert [row["seq"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[1]["actor_id"] == "'=cmd()"


def test_nothing_found_is_an_empty_file(viewer: Any) -> None:
    assert viewer.get("/entries.jsonl?actor=nobody").content == b""
    assert viewer.get("/entries.csv?actor=nobody").text.count("\n") == 1


def test_a_proof_holds_without_the_log(viewer: Any, tmp_path: Path) -> None:
    answer = viewer.get("/entry/700/proof")
    assert 'filename="entry-700.tlog-proof"' in answer.headers["content-disposition"]
    found = verify_proof(answer.content, public_key=pin(KEY))
    assert found["status"] == "proven", found
    other = viewer.get("/entry/701/proof").content.replace(b"index 701", b"index 700")
    assert verify_proof(other, public_key=pin(KEY))["status"] != "proven"


def test_what_no_checkpoint_covers_has_no_proof(path: Path, viewer: Any) -> None:
    count = len(stored(path))
    assert viewer.get(f"/entry/{count}/proof").status_code == 404
    assert viewer.get("/entries.zip?actor=nobody").status_code == 404


def test_evidence_is_for_who_may_see_all(viewer: Any, path: Path, tmp_path: Path) -> None:
    content = viewer.get("/entries.zip?seq=1-20").content
    assert content.startswith(b"PK")
    assert client(path, Access("ann", tenants=["t"])).get("/entries.zip").status_code == 403
