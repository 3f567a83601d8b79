"""What is shown of a log: text that cannot steer a terminal."""

from __future__ import annotations

import sqlite3
import sys
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.review.query import Filter, read_entries
from chained_logging.text import printable


@pytest.mark.parametrize("category", ["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
def test_no_character_that_steers_or_hides_is_shown(category: str) -> None:
    kind = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) == category]
    shown = printable("a" + "".join(kind) + "z")
    assert shown.isprintable()
    assert shown[0] + shown[-1] == "az"


def test_ordinary_text_is_shown_as_it_is() -> None:
    text = "Ann Lee read пациент/45, 病歴, «ü» \\ 'quoted'"
    assert printable(text) == text


LOGGED = {"action": "read", "actor": "u-1", "ip": "10.0.0.1"}


def test_show_finds_by_each_field_and_names_whom_one_acted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.jsonl"
    listed = ["patient/1", "https://x.example/2"]
    with AuditLog(path) as log:
        log.append(**LOGGED, resource="patient/7", tenant="acme", on_behalf_of="u-2")
        log.append(**LOGGED, resource="patients", resources=listed, trace_id="1f" * 16)
        log.append(**LOGGED, resource=("patients", "p" * 50), resources=listed)
    shown = {}
    for option in (
        *("--resource=patient/1", "--resource=patient", "--resource=https://x.example/2"),
        *("--resource=patient/2", "--tenant=acme", "--on-behalf-of=u-2"),
        f"--trace-id={'1F' * 16}",
    ):
        cli(["show", str(path), option], standalone_mode=False)
        lines = capsys.readouterr().out.splitlines()[1:]
        shown[option.partition("=")[2]] = [int(line.split()[0]) for line in lines]
    assert list(shown.values()) == [[2, 3], [1, 2, 3], [2, 3], [], [1], [1], [2]]
    cli(["show", str(path)], standalone_mode=False)
    _, _, first, second, third = capsys.readouterr().out.splitlines()
    assert "u-1 for u-2 " in first
    assert "patients/* +2 " in second
    assert f"patients/{'p' * 17}… +2  success " in third


def test_show_refuses_resources_that_no_log_wrote(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        log.append(**LOGGED, resource="patients", resources=["patient/1"])
    path.write_bytes(path.read_bytes().replace(b'[{"id":"1","type":"patient"}]', b'["x"]'))
    with pytest.raises(ValueError, match=r"was not written by a log \(resources\)"):
        cli(["show", str(path), "--resource", "x"], standalone_mode=False)


def test_an_index_finds_the_entries_of_an_actor_and_an_action(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with AuditLog(path) as log:
        log.append_many(
            [
                {**EVENT, "action": action, "actor": f"user-{number % 7}"}
                for number in range(2000)
                for action in ("read", "write")
            ]
        )
    for wanted in (
        Filter(actor="user-3"),
        Filter(action="write"),
        Filter(actor="user-3", action="write", result="success"),
        Filter(actor="nobody"),
    ):
        every = [entry for entry in read_entries(path) if wanted.matches(entry)]
        found = list(read_entries(path, wanted))
        assert [entry.seq for entry in found] == [entry.seq for entry in every]
    with closing(sqlite3.connect(path)) as database:
        for column, index in (("actor_id", "entries_actor_id"), ("action", "entries_action")):
            query = (
                f"SELECT seq FROM entries WHERE seq >= 0 AND {column} = 'x' ORDER BY seq LIMIT 9"
            )
            plan = str(database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
            assert index in plan
            assert "TEMP B-TREE" not in plan
