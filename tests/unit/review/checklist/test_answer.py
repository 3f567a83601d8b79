"""Never met unseen; not met if anything is not met; nothing beyond sight is called met."""

from __future__ import annotations

import pytest

from chained_logging.review.checklist.answer import (
    Answer,
    Found,
    Status,
    joined,
    met,
    not_met,
    saw,
    unseen,
)

PIECE = saw("mode", "audit.db", "0600")
GOOD, BAD, DARK = met("fine", PIECE), not_met("bad", "chmod", PIECE), unseen("dark")


def answer(*found: Found, beyond: str | None = None) -> Answer:
    return Answer("clause", "1", "says", found, "gives", "yours", beyond)


def test_nothing_is_met_without_evidence() -> None:
    with pytest.raises(ValueError, match="nothing is met unseen"):
        met("fine")


def test_what_is_not_met_says_how_to_mend_it() -> None:
    with pytest.raises(ValueError, match="can be mended"):
        Found(Status.NOT_MET, "bad")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ((GOOD, GOOD), Status.MET),
        ((GOOD, DARK), Status.UNSEEN),
        ((DARK, BAD, GOOD), Status.NOT_MET),
        ((), Status.UNSEEN),
    ],
)
def test_the_worst_of_what_was_found_counts(found: tuple[Found, ...], status: Status) -> None:
    assert answer(*found).status is status
    if found:
        assert joined(found).status is status


def test_what_nobody_can_see_is_never_met_and_may_be_not_met() -> None:
    assert answer(GOOD, beyond="other systems").status is Status.UNSEEN
    assert answer(BAD, beyond="other systems").status is Status.NOT_MET


def test_several_looks_keep_all_evidence_and_the_reasons_that_tell() -> None:
    other = not_met("worse", "chown", PIECE)
    found = joined([GOOD, BAD, other, BAD])
    assert found.sentence == "bad; worse"
    assert found.mend == "chmod; chown"
    assert len(found.seen) == 4
    assert all(piece.at.endswith("Z") for piece in found.seen)
