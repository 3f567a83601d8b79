"""What else holds parts of removed entries."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from chained_logging.review.retention.leftovers import old_pieces, pieces_of, remove_indexes
from chained_logging.review.retention.policies import Policy

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def piece(log: Path, days: int, kind: str = "torn-17-") -> Path:
    at = int((NOW - dt.timedelta(days=days)).timestamp() * 1e9)
    path = log.with_name(f"{log.name}.{kind}{at}")
    path.touch()
    return path


def test_a_piece_goes_when_the_longest_period_is_over(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    old, spilled = piece(log, 400), piece(log, 401, "spill.torn-")
    young, other = piece(log, 300), piece(tmp_path / "other.jsonl", 400)
    assert {path for path, _ in pieces_of(log)} == {old, spilled, young}
    some = [Policy("all", 30), Policy("a", 365, action=("a",))]
    assert set(old_pieces(log, some, NOW)) == {old, spilled}
    assert old_pieces(log, some[1:], NOW) == []  # nobody can tell what is in it
    assert other.exists()


def test_indexes_are_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = tmp_path / "audit.db"
    names = ("audit.db.index", "audit.db.index-wal", "audit.db.index.host.7.new")
    beside = [tmp_path / name for name in names]
    for path in (*beside, tmp_path / "audit.db", tmp_path / "other.db.index"):
        path.touch()
    assert set(remove_indexes(log)) == set(beside)
    assert {path.name for path in tmp_path.iterdir()} == {"audit.db", "other.db.index", "cache"}
    assert remove_indexes(log) == []
