"""The log that is viewed: what is appended is there, and the verdict follows changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from periods import event, write_log
from viewers import EVERYTHING, opened

from chained_logging import AuditLog
from chained_logging.review.verdict import Verdict
from chained_logging.review.viewer.opened import InUse, OpenedLog, Verdicts


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


def iter_of(*results: Verdict | Exception) -> Callable[[], Verdict]:
    """Return a check that ends with one after another."""
    left = iter(results)

    def check() -> Verdict:
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return check


@pytest.mark.parametrize("suffix", ["jsonl", "db"])
def test_what_is_appended_is_found_by_the_next_request(tmp_path: Path, suffix: str) -> None:
    path = write_log(tmp_path / f"audit.{suffix}", [event(1)])
    log = OpenedLog(str(path))
    with log.engine(EVERYTHING) as engine:
        before = engine.count()
    with AuditLog(path) as writer:
        writer.append("read", actor="ann")
    with log.engine(EVERYTHING) as engine:
        assert engine.count() == before + 1
    log.close()
    with log.engine(EVERYTHING) as engine:
        assert engine.count() == before + 1
    log.close()


def test_a_request_does_not_wait_for_others_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "WAIT", 0.01)
    log = OpenedLog(str(write_log(tmp_path / "audit.db", [event(1)])))
    with log.engine(EVERYTHING), pytest.raises(InUse), log.engine(EVERYTHING):
        pass
    with log.engine(EVERYTHING) as engine:
        assert engine.count() == 2
    log.close()


def test_the_state_changes_with_the_log_and_not_with_its_readers(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    log = OpenedLog(str(path))
    before = log.state()
    (tmp_path / "audit.jsonl.index").touch()
    (tmp_path / "other.jsonl").touch()
    assert log.state() == before
    (tmp_path / "audit.00000000000000000000.jsonl").touch()  # a segment
    assert log.state() != before


def test_a_change_is_noticed_and_told(tmp_path: Path) -> None:
    path = write_log(tmp_path / "audit.jsonl", [event(1)])
    log = OpenedLog(str(path))
    first = log.verdicts.current(30)
    assert first is not None
    assert first.verdict.intact
    path.write_bytes(path.read_bytes().replace(b"user-1", b"user-2"))

    def is_told() -> bool:
        found = log.verdicts.current(30)
        return found is not None and found.verdict.status == "tampered"

    until(is_told)


def test_one_check_runs_at_a_time_and_pages_do_not_wait_for_it() -> None:
    go, running, most = threading.Event(), [], []

    def check() -> Verdict:
        running.append(1)
        most.append(len(running))
        go.wait(30)
        running.pop()
        return Verdict("intact", "fine")

    verdicts = Verdicts(check, lambda: 1)
    assert [verdicts.current(0) for _ in range(5)] == [None] * 5
    go.set()
    found = verdicts.current(30)
    assert found is not None
    assert found.verdict.headline == "fine"
    verdicts.current(30)
    assert most == [1]  # nothing changed since


def test_a_log_that_cannot_be_read_is_not_checked(tmp_path: Path) -> None:
    def check() -> Verdict:
        raise OSError("no such disk")

    found = Verdicts(check, lambda: 1).current(30)
    assert found is not None
    assert found.verdict.status == "unchecked"
    assert found.verdict.headline == "Not checked: no such disk"


def test_no_verdict_outlives_a_check_that_failed() -> None:
    verdicts = Verdicts(iter_of(Verdict("intact", "fine"), RecursionError("too deep")), time.time)
    first = verdicts.current(30)
    verdicts._rests = 0.0
    second = verdicts.current(30)
    assert first is not None
    assert second is not None
    assert (first.verdict.status, second.verdict.status) == ("intact", "unchecked")
    assert second.verdict.headline == "Not checked: too deep"


def test_a_log_with_index_in_its_name_changes_too(tmp_path: Path) -> None:
    path = write_log(tmp_path / "site.index.jsonl", [event(1)])
    log = OpenedLog(str(path))
    before = log.state()
    with AuditLog(path) as writer:
        writer.append("read", actor="ann")
    after = log.state()
    assert after != before
    path.with_name("site.index.jsonl.index").touch()
    assert log.state() == after


def test_the_name_of_a_store_has_no_password() -> None:
    assert OpenedLog("postgresql://ann:secret@db.example/audit").name == "db.example/audit"
    assert OpenedLog("/var/log/audit.jsonl").name == "audit.jsonl"
