"""What a log says about itself, in the words of docs/operations.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from periods import event, write_log
from signed_logs import Key, append_lines, own, pin

from chained_logging import AuditLog
from chained_logging.review.filter import ANY
from chained_logging.review.opening import open_log
from chained_logging.review.report import own_words
from chained_logging.review.report.own_words import KEYS, RECOVERIES, Told, told


def said(path: Path, actions: tuple[str, ...]) -> list[Told]:
    with open_log(str(path)) as engine:
        return told(engine, ANY, actions)[0]


CASES: list[tuple[dict[str, Any], str, bool]] = [
    (
        {"cause": "the machine was restarted, and the entries after 7 were not on disk", "lost": 3},
        "The machine was restarted, and the last 3 entries before that",
        False,
    ),
    (
        {"cause": "the machine may have been restarted, and so on", "lost": 1},
        "The machine may have been restarted, and the last 1 entry",
        False,
    ),
    (
        {"cause": "entry 9 had been written, and the file ends at 7", "lost": 2},
        "2 entries that had been written are gone.",
        True,
    ),
    ({"cause": "entry 7 had the hash a", "rewritten": True}, "The log was rewritten", True),
    (
        {"cause": "a torn line", "bytes": 9, "kept_in": "audit.torn-9"},
        "A program was stopped in the middle of writing an entry. The piece was moved to aud",
        False,
    ),
    ({"cause": "lines damaged by a power failure"}, "Power failed", False),
    ({"cause": "a sync failed, and entries"}, "The disk reported an error", False),
    ({"cause": "lines of the spill file that are not events"}, "Some waiting events", False),
    ({"cause": "the last entry was followed by lines that"}, "The last entry was followed", False),
    ({"cause": "something new"}, "The log was repaired: something new.", False),
    ({}, "The log was repaired: no cause was given.", False),
]


@pytest.mark.parametrize(("context", "words", "grave"), CASES)
def test_a_recovery_is_told_in_words(
    tmp_path: Path, context: dict[str, Any], words: str, grave: bool
) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    append_lines(path, [own("log.recover", **context)], own=True)
    (found,) = said(path, RECOVERIES)
    assert found.what.startswith(words)
    assert found.ask
    assert (found.seq, found.grave) == (2, grave)


def test_a_log_that_was_moved_or_cut(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    causes = ["the file was moved, deleted or replaced", "the file was cut from 9 to 3 bytes"]
    append_lines(path, [own("log.reopen", cause=cause) for cause in causes], own=True)
    moved, cut = said(path, RECOVERIES)
    assert moved.what.startswith("The file was moved, deleted or replaced while")
    assert cut.what == "The file was cut from 9 to 3 bytes while a program was writing to it."
    assert (moved.grave, cut.grave) == (False, True)


def test_keys_from_the_first_to_a_stolen_one(tmp_path: Path) -> None:
    path, first, second = tmp_path / "audit.db", Key(), Key()
    write_log(path, [event(1)], origin="example.com/audit")
    with AuditLog(path, key=first) as log:
        log.rotate_key(second)
        log.revoke_key(pin(first), reason="a laptop was lost")
    began, added, rotated, revoked = said(path, KEYS)
    assert began.what == "The log began. It had no key."
    assert added.what.startswith("The log got its first key: example.com/audit+")
    assert rotated.what.startswith("The key example.com/audit+")
    assert revoked.what.endswith("was revoked. Reason given: a laptop was lost")
    assert revoked.grave


def test_what_others_append_under_another_name_is_not_the_log_speaking(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(1, "log.recover", context={"lost": 1})])
    assert said(path, RECOVERIES) == []


def test_the_newest_are_shown_in_order_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_words, "MOST", 2)
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    append_lines(path, [own("log.recover", cause=str(n)) for n in range(5)], own=True)
    with open_log(str(path)) as engine:
        found, count = told(engine, ANY, RECOVERIES)
    assert ([one.seq for one in found], count) == ([5, 6], 5)
