"""A review is begun with what is drawn, and signed with a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.keys import PrivateKey
from chained_logging.review.opening import open_log, stored
from chained_logging.review.period import Period
from chained_logging.review.reading import NotRecorded
from chained_logging.review.reviews.desk import register_of, sign, start
from chained_logging.sinks.segments import segment_paths
from chained_logging.verify import verify

PERIOD = Period("2026-01-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z")


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path, key=PrivateKey.generate()) as opened:
        opened.append("read", **EVENT)
    return path


def test_the_entries_say_who_what_and_when(log: Path) -> None:
    begun = start(str(log), PERIOD, "ann")
    done = sign(str(log), begun.seq, "ann", "In order.", name="Ann Meyer", meaning="approval")
    (signature,) = done.signatures
    assert (signature.who, signature.name) == ("ann", "Ann Meyer")
    assert (signature.meaning, signature.conclusion) == ("approval", "In order.")
    assert signature.checkpoint is not None
    assert signature.checkpoint["size"] >= 2
    entries = {entry.action: entry for entry in stored(str(log))}
    assert entries["review.start"].context["summary"]["verdict"].startswith("Intact")
    assert entries["review.sign"].on_behalf_of == "ann"
    assert verify(log).intact


@pytest.mark.parametrize("conclusion", ["", "  ", "x" * 10_001])
def test_a_conclusion_says_something_and_not_everything(log: Path, conclusion: str) -> None:
    begun = start(str(log), PERIOD, "ann")
    with pytest.raises(ValueError, match="the conclusion must"):
        sign(str(log), begun.seq, "ann", conclusion)


@pytest.mark.parametrize("said", [{"conclusion": "\U0001f600" * 9_000}, {"name": "n" * 65_000}])
def test_what_is_said_fits_into_an_entry(log: Path, said: dict[str, Any]) -> None:
    begun = start(str(log), PERIOD, "ann")
    with pytest.raises(ValueError, match="must be shorter"):
        sign(str(log), begun.seq, "ann", key=PrivateKey.generate(), **{"conclusion": "x", **said})
    done = sign(str(log), begun.seq, "ann", "\u6f22" * 8_000, key=PrivateKey.generate())
    assert [one.own for one in done.signatures] == ["unknown"]


def test_a_signature_holds_when_the_first_entries_are_in_an_archive(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with AuditLog(log, max_bytes=4_000) as opened:
        for _ in range(20):
            opened.append("read", **EVENT)
    sign(str(log), start(str(log), PERIOD, "ann").seq, "ann", "x", key=PrivateKey.generate())
    segment_paths(log)[0].unlink()
    with open_log(str(log)) as engine:
        assert engine.scope().entries < 20
        register, origin = register_of(str(log), engine)
    assert origin.startswith("chained-logging/")
    (review,) = register.reviews.values()
    assert [one.own for one in review.signatures] == ["unknown"]


def test_a_copy_is_not_reviewed_and_stays_as_it_is(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / f"copy{log.suffix}"
    copy.write_bytes(log.read_bytes())
    with pytest.raises(NotRecorded, match="review the log itself"):
        start(str(copy), PERIOD, "ann")
    with pytest.raises(NotRecorded, match="review the log itself"):
        sign(str(copy), 1, "ann", "In order.")
    assert copy.read_bytes() == log.read_bytes()


def test_a_review_that_is_not_there_cannot_be_signed(log: Path) -> None:
    with pytest.raises(ValueError, match="no review 77"):
        sign(str(log), 77, "ann", "In order.")


def test_only_emergency_access_is_reviewed_as_such(log: Path) -> None:
    for seq in (1, -1, 10**20):
        with pytest.raises(ValueError, match=f"entry {seq} must be about emergency access"):
            start(str(log), PERIOD, "ann", about=[seq])


def test_a_long_name_of_a_reviewer_with_a_key_is_fine(log: Path) -> None:
    begun = start(str(log), PERIOD, "ann")
    done = sign(str(log), begun.seq, "Ann M. + Bob", "In order.", key=PrivateKey.generate())
    assert done.signatures[0].own == "unknown"
