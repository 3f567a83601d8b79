"""Events on standard input become entries, and what is refused is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from chains import check_chain, stored
from commands import command, events, run

GOOD = '{"action":"backup","actor":"cron","actor_type":"service","resource":"db/1"}\n'


def test_each_line_is_an_entry(path: Path) -> None:
    assert run("append", path, "--origin", "example.com/a", stdin=events(3)) == ""
    entries = check_chain(path)
    assert [one["action"] for one in entries] == ["log.open", "a-0", "a-1", "a-2"]
    assert entries[0]["context"]["origin"] == "example.com/a"


def test_a_refused_line_is_named_and_costs_no_other(path: Path) -> None:
    said = run("append", path, stdin=GOOD + "\nno\n[1]\n" + GOOD + '{"action":"x"}\n', status=1)
    third, fourth, last = said.splitlines()
    assert third.startswith("line 3: is not JSON")
    assert fourth == "line 4: is not a JSON object"
    assert last == "3 appended, 1 of them incomplete, 2 refused"
    assert [one["action"] for one in check_chain(path)[1:]] == ["backup", "backup", "x"]


def test_json_prints_what_is_stored(path: Path) -> None:
    printed = run("append", path, "--json", stdin=events(2)).encode().splitlines()
    for line, (seq, _, hash) in zip(printed, stored(path)[1:], strict=True):
        assert (json.loads(line)["seq"], json.loads(line)["hash"]) == (seq, hash)


def test_strict_refuses_an_incomplete_event(path: Path) -> None:
    said = run("append", path, "--strict", stdin='{"action":"x"}\n' + GOOD, status=1)
    assert "line 1: " in said
    assert "actor_id" in said
    assert [one["action"] for one in check_chain(path)[1:]] == ["backup"]


def test_nothing_given_appends_nothing(path: Path) -> None:
    assert run("append", path) == ""
    assert len(check_chain(path)) == 1


def test_a_file_that_is_no_log_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"something else\n")
    said = run("append", path, stdin=GOOD, status=2)
    assert said.startswith("chained-logging: ")
    assert path.read_bytes() == b"something else\n"
    assert command("append", path.parent).returncode == 2


def test_events_of_cloudtrail_are_read_from_files(path: Path, tmp_path: Path) -> None:
    event = {"eventName": "StopLogging", "userIdentity": {"arn": "arn:aws:iam::1:user/ann"}}
    (one, two) = (tmp_path / "one.json.gz", tmp_path / "two.json")
    one.write_bytes(gzip.compress(json.dumps({"Records": [event, 7]}).encode()))
    two.write_text(json.dumps(event) + "\nno\n")
    said = run("append", path, one, two, "--from", "cloudtrail", status=1).splitlines()
    assert said[0] == f"{one}: record 2: is not a JSON object"
    assert said[1].startswith(f"{two}: line 2: is not JSON")
    assert said[2] == "2 appended, 2 of them incomplete, 2 refused"
    assert [one["context"]["eventName"] for one in check_chain(path)[1:]] == ["StopLogging"] * 2


def test_files_of_plain_events_are_read_too(path: Path, tmp_path: Path) -> None:
    (tmp_path / "events").write_text(GOOD)
    run("append", path, tmp_path / "events")
    assert [one["action"] for one in check_chain(path)[1:]] == ["backup"]
