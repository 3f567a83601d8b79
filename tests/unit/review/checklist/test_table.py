"""The checklist as text and JSON."""

from __future__ import annotations

import json

from chained_logging.review.checklist.answer import Answer, met, not_met, saw, unseen
from chained_logging.review.checklist.table import WIDTH, as_json, counted, lines

PIECE = saw("mode", "audit.db", "0644")
ANSWERS = [
    Answer("point", "1", "Closed files", (met("all closed", PIECE),), "modes", "the rest"),
    Answer(
        "clause",
        "10.6.1",
        "System clocks and time are synchronized " * 4,
        (not_met("the clock is off", "start chrony", PIECE), unseen("no daemon")),
        "what it says",
        "every other machine",
    ),
    Answer("clause", "10.7.3", "Failures …", (), "nothing", "all of it", "your people"),
]


def test_each_answer_says_how_it_is_why_and_what_mends_it() -> None:
    text = "\n".join(lines(ANSWERS))
    assert "Ten points: 1 met\n\nMET  point 1: Closed files\n        all closed" in text
    assert "NOT MET  10.6.1: System clocks" in text
    assert "        the clock is off\n        to mend it: start chrony" in text
    assert "        not checkable from here: no daemon" in text
    assert "nobody can see from here: your people\n        yours: all of it" in text
    assert all(len(line) <= WIDTH for line in lines(ANSWERS))


def test_answers_are_counted_by_status() -> None:
    assert counted(ANSWERS) == "1 met, 1 not met, 1 not checkable from here"


def test_json_holds_all_evidence() -> None:
    point, clause, _ = json.loads(json.dumps(as_json(ANSWERS)))
    assert point["status"] == "met"
    assert point["found"][0]["seen"] == [
        {"what": "mode", "where": "audit.db", "value": "0644", "at": PIECE.at}
    ]
    assert clause["found"][0]["mend"] == "start chrony"
