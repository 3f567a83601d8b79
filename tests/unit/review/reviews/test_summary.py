"""What a reviewer is shown is what the entry holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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


def test_names_that_others_chose_leave_room_for_the_rest(tmp_path: Path) -> None:
    long = "\x01" * 1_000
    new = [event(34, actor=f"{n}{long}", resource=f"{n}{long}/1") for n in range(12)]
    log = write_log(tmp_path / "audit.db", [event(3), *new])
    november = Period("2024-11-01T00:00:00.000000Z", "2024-12-01T00:00:00.000000Z")
    news = start(str(log), november, "ann").drawn["new"]
    assert news["actor_id"]["count"] == news["resource_type"]["count"] == 12
    assert news["actor_id"]["values"][0].startswith("0\x01")


@pytest.mark.parametrize(
    "drawn", [{}, {"since": 1}, {"since": "", "until": "", "verdict": "", "numbers": []}]
)
def test_a_summary_that_somebody_else_wrote_is_said_to_be_none(drawn: dict[str, Any]) -> None:
    (line,) = lines(drawn)
    assert "no summary" in line
