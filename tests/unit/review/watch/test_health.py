"""Whether a log is looked after, in one answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.watch import conditions
from chained_logging.review.watch.conditions import Limits
from chained_logging.review.watch.health import health


@pytest.fixture(autouse=True)
def _in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "is_synchronised", lambda: True)


def test_its_status_is_that_of_the_worst_check(path: Path) -> None:
    with AuditLog(path) as log:
        log.append("read", **EVENT)
    assert health(str(path)).status == "well"
    assert health(str(path), Limits(disk=1.01)).status == "unwell"
    path.with_name(f"{path.name}.ship-0123456789ab").write_text("nonsense")
    assert health(str(path)).status == "unknown"
    assert health(str(path), Limits(disk=1.01)).status == "unwell"


def test_a_log_that_cannot_be_asked_is_unwell(tmp_path: Path) -> None:
    found = health(str(tmp_path / "gone.db"))
    assert found.status == "unwell"
    assert found.to_dict()["checks"][0]["name"] == "readable"
