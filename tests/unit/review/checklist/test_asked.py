"""What every form of the answers says first."""

from __future__ import annotations

from pathlib import Path

from checklists import recorded

from chained_logging.review.checklist.asked import now
from chained_logging.review.checklist.checklist import gone_through
from chained_logging.review.verdict import Evidence


def test_a_checklist_says_of_which_log_and_when(tmp_path: Path) -> None:
    before = now()
    path = recorded(tmp_path / "audit.db")
    found = gone_through(str(path), "gdpr", None, (), Evidence())
    assert found.log == "audit.db"
    assert found.standard.title == "GDPR"
    assert before <= found.begun <= found.ended <= now()
    seen = [piece for answer in found.answers for one in answer.found for piece in one.seen]
    assert all(found.begun <= piece.at <= found.ended for piece in seen)
    assert len(found.points) == 10
    assert [*found.points, *found.clauses] == list(found.answers)
