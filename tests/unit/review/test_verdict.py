"""The verdict says what was checked, what vouches for it, and what nothing vouches for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from chains import EVENT
from periods import write_log
from signed_logs import ORIGIN, Key, append_lines, pin

from chained_logging.review.verdict import Evidence, judge, spoken_verdict
from chained_logging.verify import Fault, Report


def test_a_log_without_a_key_is_intact_and_nothing_vouches_for_it(tmp_path: Path) -> None:
    verdict = judge(str(write_log(tmp_path / "audit.db", [EVENT] * 5)))
    assert (verdict.intact, verdict.covered) == (True, -1)
    assert verdict.headline.startswith("Intact")
    assert "6 entries were checked, number 0 to 5." in verdict.sentences
    assert any(sentence.startswith("Nothing is signed") for sentence in verdict.sentences)


@pytest.mark.parametrize("suffix", ["jsonl", "db"])
def test_what_a_checkpoint_covers_and_what_it_does_not_yet(tmp_path: Path, suffix: str) -> None:
    key = Key()
    path = write_log(tmp_path / f"audit.{suffix}", [EVENT] * 5, key=key, origin=ORIGIN)
    assert judge(str(path)).covered == 5
    append_lines(path, [EVENT, EVENT])
    verdict = judge(str(path), evidence=Evidence(public_key=pin(key)))
    assert verdict.covered == 5
    assert f"Signed by {ORIGIN} up to entry 5." in verdict.sentences
    assert "2 later entries are not signed yet." in verdict.sentences
    assert "The key is the one that you gave." in verdict.sentences


def test_a_change_is_told_in_the_first_line_and_named(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [EVENT] * 5)
    path.write_bytes(path.read_bytes().replace(b'"user-1"', b'"user-2"', 1))
    verdict = judge(str(path))
    assert verdict.status == "tampered"
    assert verdict.headline == "Tampered with: 1 fault in the chain"
    assert verdict.faults[0].startswith("entry 1: edited")
    assert not verdict.gaps


def test_missing_entries_are_gaps(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [EVENT] * 5)
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert [gap[:16] for gap in judge(str(path)).gaps] == ["entry 3: missing"]


def test_what_is_not_a_log_is_not_checked(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "audit.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert judge(str(tmp_path / "audit.db")).headline.startswith("Not checked: ")
    assert judge(str(tmp_path / "none.jsonl")).status == "unchecked"


def test_what_a_file_says_cannot_steer_a_terminal() -> None:
    fault = Fault("edited", "a\x1b[31m.jsonl", 3, None, None, "its \u202e field")
    verdict = spoken_verdict(Report(status="tampered", fault_count=1, faults=[fault]))
    assert verdict.faults == ("a\\x1b[31m.jsonl, line 3: edited: its \\u202e field",)


def test_others_are_named_with_what_they_confirm() -> None:
    report = Report(
        status="intact",
        entries=3,
        first_seq=0,
        last_seq=2,
        witnessed={"w.example": {"seq": 1, "time": "2026-10-01T00:00:00Z"}},
        timestamped_seq=2,
        timestamped_at="2026-10-02T00:00:00Z",
        anchored=True,
        anchored_seq=2,
        unknown_witnesses=1,
    )
    text = " ".join(spoken_verdict(report).sentences)
    assert "w.example cosigned it up to entry 1, at 2026-10-01T00:00:00Z" in text
    assert "timestamped it up to entry 2, at 2026-10-02T00:00:00Z" in text
    assert "A checkpoint from elsewhere confirms it up to entry 2" in text
    assert "1 cosignature of witnesses" in text
    assert "cut off" not in text


def test_a_log_whose_first_line_has_no_position_is_put_into_words() -> None:
    report = Report(status="tampered", entries=3, fault_count=1)
    assert not any("checked" in sentence for sentence in spoken_verdict(report).sentences[:1])
