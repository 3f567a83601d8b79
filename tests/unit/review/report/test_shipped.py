"""A report says how far copies had come, and what cannot be known."""

from __future__ import annotations

from pathlib import Path

from chained_logging.review.report.shipped import Shipped, shipped
from chained_logging.ship.progress import Progress, progress_path, write_progress


def test_a_copy_that_has_all_of_it_is_the_same_when_it_has_more(tmp_path: Path) -> None:
    log, url = tmp_path / "audit.db", "postgresql://db/audit"
    for seq in (9, 20):
        write_progress(log, Progress(url, seq, delivered_at=1.0 + seq))
        found, unknown = shipped(str(log), 10)
        assert found == [Shipped(url, 0)]
        assert "cannot be known" in str(unknown)


def test_a_copy_that_is_behind(tmp_path: Path) -> None:
    log, url = tmp_path / "audit.db", "s3://audit/logs"
    write_progress(log, Progress(url, 3, delivered_at=0.0, problem="refused"))
    found, _ = shipped(str(log), 10)
    assert found == [Shipped(url, 6, "1970-01-01T00:00:00.000000Z", "refused")]
    write_progress(log, Progress(url))
    assert shipped(str(log), 10)[0] == [Shipped(url, 10)]


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    log = tmp_path / "audit.db"
    assert "ever shipped" in str(shipped(str(log), 1)[1])
    progress_path(log, "s3://b/c").write_text("no JSON")
    assert "could not be read" in str(shipped(str(log), 1)[1])
    assert "a central store" in str(shipped("postgresql://db/audit", 1)[1])
