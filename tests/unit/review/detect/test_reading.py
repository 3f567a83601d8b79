"""The entries of a log in order, whatever stores it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chained_logging import AuditLog
from chained_logging.errors import BrokenLog
from chained_logging.review.detect import reading
from chained_logging.review.detect.reading import records
from chained_logging.review.opening import open_log
from chained_logging.review.query import Misfit

EVENT = {"action": "read", "actor": "ann", "resource": "record/1", "ip": "10.0.0.1"}


@pytest.mark.parametrize("name", ["audit.jsonl", "audit.db"])
def test_each_entry_comes_once_in_order(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAGE", 4)
    with AuditLog(tmp_path / name) as log:
        log.append_many([EVENT] * 30)
    with open_log(str(tmp_path / name)) as engine:
        assert [record.seq for record in records(engine, -1, 1000)] == list(range(31))
        assert [record.seq for record in records(engine, 5, 12)] == list(range(6, 13))
        assert not list(records(engine, 30, 1000))


def test_a_log_that_never_fits_its_index_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append_many([EVENT] * 3)

    def misfit(*_: object) -> None:
        raise Misfit("entry 1 is not what it was")

    with open_log(str(tmp_path / "audit.jsonl")) as engine:
        monkeypatch.setattr(engine.store, "records", misfit)
        with pytest.raises(BrokenLog, match="changes while it is read"):
            list(records(engine, -1, 10))
