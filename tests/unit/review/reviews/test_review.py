"""A reviewer's own signature holds for what they said of one review, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditEntry, AuditLog
from chained_logging.format.vkey import ED25519, VerifierKey
from chained_logging.keys import PrivateKey
from chained_logging.review.opening import open_log
from chained_logging.review.period import Period
from chained_logging.review.reviews.desk import register_of, sign, start
from chained_logging.review.reviews.review import SIGN, Review, signature_of

PERIOD = Period("2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z")
KEY = PrivateKey.generate()
KNOWN = [VerifierKey("ann", ED25519, KEY.public_key)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path, origin="example.com/audit") as opened:
        opened.append("read", **EVENT)
    return path


def own(log: Path, keys: list[VerifierKey] = KNOWN) -> str:
    with open_log(str(log)) as engine:
        (review,) = register_of(str(log), engine, keys)[0].reviews.values()
    return review.signatures[-1].own


def test_a_known_key_an_unknown_one_and_none(log: Path) -> None:
    number = start(str(log), PERIOD, "ann").seq
    sign(str(log), number, "ann", "All in order.", key=KEY)
    assert own(log) == "known"
    assert own(log, []) == "unknown"
    sign(str(log), number, "bob", "I agree.")
    assert own(log) == "none"


@pytest.mark.parametrize(
    "change",
    [
        {"conclusion": "All is lost."},
        {"name": "Bob"},
        {"meaning": "approval"},
        {"signed_at": "2020-01-01T00:00:00.000000Z"},
        {"checkpoint": {"size": 9, "root": ""}},
        {"summary_sha256": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_said_cannot_be_changed(log: Path, change: dict[str, Any]) -> None:
    review = start(str(log), PERIOD, "ann")
    signed = sign(str(log), review.seq, "ann", "All in order.", key=KEY)
    context = _newest(log).context
    context["said"] |= change
    with AuditLog(log) as opened:
        forged = opened.note(SIGN, **context)
    assert signature_of(forged, "example.com/audit", review, KNOWN).own == "broken"
    assert signed.signed


def test_a_signature_is_of_use_for_no_other_review_and_no_other_log(log: Path) -> None:
    first, second = (start(str(log), PERIOD, "ann") for _ in range(2))
    sign(str(log), first.seq, "ann", "All in order.", key=KEY)
    entry = _newest(log)
    assert signature_of(entry, "example.com/audit", first, KNOWN).own == "known"
    assert signature_of(entry, "example.com/audit", second, KNOWN).own == "broken"
    assert signature_of(entry, "example.com/other", first, KNOWN).own == "broken"


@pytest.mark.parametrize("note", [3, "", "nonsense", None])
def test_half_a_signature_is_broken(log: Path, note: object) -> None:
    review = start(str(log), PERIOD, "ann")
    sign(str(log), review.seq, "ann", "All in order.", key=KEY)
    context = _newest(log).context | {"note": note}
    with AuditLog(log) as opened:
        entry = opened.note(SIGN, **context)
    assert signature_of(entry, "example.com/audit", review, KNOWN).own == "broken"


@pytest.mark.parametrize("context", [{}, {"since": 1}, {"about": ["1"]}, {"summary": []}], ids=str)
def test_an_entry_that_begins_no_review_is_refused(log: Path, context: dict[str, Any]) -> None:
    good = {"since": "a", "until": "b", "summary": {}}
    with AuditLog(log) as opened:
        entry = opened.note("review.start", **(good | context if context else {}))
    with pytest.raises(ValueError, match="missing or has another type"):
        Review.of(entry)


def _newest(log: Path) -> AuditEntry:
    with AuditLog(log, sign="follow") as opened:
        return list(opened.entries())[-1]
