"""The checklist as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from checklists import recorded

from chained_logging.review.checklist import checklist
from chained_logging.review.checklist.answer import Status, met, not_met, saw
from chained_logging.review.checklist.checklist import checked, worst
from chained_logging.review.checklist.clauses import NAMES, standard


@pytest.mark.parametrize("name", NAMES)
def test_each_point_and_clause_is_answered(name: str, path: Path) -> None:
    answers = checked(str(recorded(path)), name)
    assert [one.kind for one in answers[:11]] == ["point"] * 10 + ["clause"]
    assert [one.number for one in answers[10:]] == [one.clause for one in standard(name).clauses]
    assert worst(answers) is Status.NOT_MET
    for answer in answers:
        assert answer.status is not Status.MET or all(one.seen for one in answer.found)
        for found in answer.found:
            assert found.probe
            assert found.status is not Status.NOT_MET or found.mend


def test_nothing_is_changed(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    checked(str(path), "pci")
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert {name: after[name] for name in before} == before


def test_many_clauses_ask_a_probe_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    look = checklist.asked

    def counting(subject: checklist.Subject, call: str) -> checklist.Found:
        calls.append(call)
        return look(subject, call)

    monkeypatch.setattr(checklist, "asked", counting)
    checked(str(recorded(tmp_path / "audit.db")), "pci")
    assert len(calls) == len(set(calls))


def test_a_log_that_is_tampered_with_is_answered_too(tmp_path: Path) -> None:
    path = recorded(tmp_path / "audit.jsonl")
    path.write_bytes(path.read_bytes().replace(b"user-1", b"user-2"))
    answers = checked(str(path), "hipaa")
    assert answers[1].status is Status.NOT_MET
    assert answers[1].found[0].sentence.startswith("Tampered with")


def test_a_log_that_cannot_be_read_is_not_called_met(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    path.write_bytes(b"not a database" * 100)
    answers = checked(str(path), "soc2")
    assert all(one.status is not Status.MET for one in answers)


@pytest.mark.parametrize("name", NAMES)
def test_each_probe_decides_on_each_clause_that_needs_it_and_on_no_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(recorded(tmp_path / "audit.db"))
    needed = {call for one in standard(name).clauses for call in one.probes}
    for bad in {call.partition(" ")[0] for call in needed}:

        def look(_: object, call: str, bad: str = bad) -> checklist.Found:
            if call.partition(" ")[0] == bad:
                return not_met("taken away", "bring it back", saw("part", "here", "gone"))
            return met("there", saw("part", "here", "there"))

        monkeypatch.setattr(checklist, "asked", look)
        for answer, clause in zip(checked(path, name)[10:], standard(name).clauses, strict=True):
            lacks = bad in {call.partition(" ")[0] for call in clause.probes}
            beyond = Status.UNSEEN if clause.beyond else Status.MET
            assert answer.status is (Status.NOT_MET if lacks else beyond), (bad, answer.number)
