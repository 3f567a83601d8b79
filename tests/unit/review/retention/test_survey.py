"""What a log says of what may go: read once, and read on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chains import EVENT
from retention_logs import ANN, old, purge

from chained_logging import AuditLog
from chained_logging.review.retention.holds import Covered, add_hold
from chained_logging.review.retention.policies import Policy
from chained_logging.review.retention.survey import Survey
from chained_logging.sinks import open_sink


def test_what_came_since_is_read_on(path: Path) -> None:
    with AuditLog(path, on_failure="raise") as log:
        log.append(**old(400))
        survey = Survey()
        survey.read(log)
        assert (survey.next, survey.decisions()) == (2, (0, 0, 0))
        add_hold(log, "c", Covered(actor_id="nobody"), "r", ANN)
        survey.read(log)
        assert (survey.next, survey.decisions()) == (3, (0, 1, 0))
    purge(path, Policy("year", 365))
    survey.read(open_sink(path))
    assert survey.decisions()[0] == (path.suffix == ".db")  # the other has no sealed segment


@pytest.mark.parametrize(
    ("about", "counts"),
    [
        ({}, True),
        ({"same_place": "on the same disk"}, False),
        ({"head_seq": "7"}, False),
        ({"head_hash": None}, False),
    ],
)
def test_a_backup_counts_if_it_is_apart(path: Path, about: dict[str, Any], counts: bool) -> None:
    said = {"destination": "/b", "head_seq": 0, "head_hash": "f" * 64}
    survey = Survey()
    with AuditLog(path) as log:
        log.note("backup.make", **said | about)
        log.append("backup.make", **EVENT, context=said | {"destination": "/forged"})
        survey.read(log)
    assert list(survey.backups) == ["/b"] * counts
