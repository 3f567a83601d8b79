"""What a reviewer is shown is what the entry holds."""

from __future__ import annotations

from pathlib import Path

from findings import Denials
from periods import event, write_log

from chained_logging.review.alerts.desk import Desk
from chained_logging.review.period import Period
from chained_logging.review.reviews.desk import start
from chained_logging.review.reviews.summary import lines


def test_the_figures_of_the_period_in_lines(tmp_path: Path) -> None:
    hostile = event(34, actor="\x1b[2Jbob", result="denied")
    log = write_log(tmp_path / "audit.db", [event(3), event(33), hostile])
    with Desk(str(log)) as desk:
        desk.rounds([Denials()]).round()
    november = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
    said = "\n".join(lines(start(str(log), november, "ann").drawn))
    assert "Period:   2024-11-01T00:00Z to 2024-12-01T00:00Z" in said
    assert "Verdict:  Intact" in said
    assert "alerts raised, 1 open in all" in said
    assert "\x1b" not in said
