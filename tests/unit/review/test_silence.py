"""A search that finds nothing says what was looked at, and which part of it fits no entry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from periods import event, write_log

from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine
from chained_logging.review.silence import explain, explain_answer

EVENTS = [
    event(1, "read", actor="Ann"),
    event(2, "read", actor="ann", result="denied"),
    event(3, "write", actor="bob"),
    event(2, "read", actor="ann"),
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with open_log(str(write_log(tmp_path / "audit.jsonl", EVENTS))) as opened:
        yield opened


def test_what_was_looked_at_is_said(engine: Engine) -> None:
    looked, *_ = explain(engine, Filter(actor=("eve",)))
    earliest = engine.scope().earliest
    assert earliest == "2024-10-02T08:00:00.000000Z"
    assert looked.startswith("no entry matches: looked at 5 entries, 2024-10-02T08:00:00Z to 20")
    assert looked.endswith("Z, for entries by eve")


def test_the_part_that_fits_no_entry_is_named_and_what_is_near_it(engine: Engine) -> None:
    _, *parts = explain(engine, Filter.parse("actor=bobb&action=Raed&result=denied"))
    assert parts == [
        "no entry of the log is one by bobb: did you mean bob?",
        "no entry of the log is one with action Raed: did you mean read?",
    ]


def test_of_values_that_differ_in_case_the_most_frequent_is_meant(engine: Engine) -> None:
    assert explain(engine, Filter(actor=("ANNE",)))[1:] == [
        "no entry of the log is one by ANNE: did you mean ann?"
    ]


def test_parts_that_fit_and_never_together_are_said(engine: Engine) -> None:
    assert explain(engine, Filter.parse("actor=bob&action=read"))[1:] == [
        "each part of the filter matches entries, and no entry matches all of them"
    ]


def test_what_is_near_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = write_log(tmp_path / "evil.jsonl", [event(1, "read\x1b[2J")])
    with open_log(str(path)) as engine:
        *_, near = explain(engine, Filter(action=("read[2J",)))
    assert near.endswith("did you mean read\\x1b[2J?")


def test_an_empty_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    with open_log(str(path)) as engine:
        for said in (explain(engine, ANY), explain_answer(engine, ANY)):
            assert said == ["no entry matches: the log has no entries"]


def test_a_question_without_an_answer_says_among_which_entries(engine: Engine) -> None:
    assert explain_answer(engine, Filter(action=("write",))) == [
        "no entry answers the question: looked at 1 entry, 2024-10-04T08:00:00Z to "
        "2024-10-04T08:00:00Z, with action write"
    ]
    assert explain_answer(engine, Filter(action=("x",)))[0].startswith("no entry matches: looked")
