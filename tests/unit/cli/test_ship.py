"""Entries to central storage: what has arrived, what is printed, and the exit status."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, stored
from click.testing import CliRunner, Result
from findings import Denials
from folder_store import FolderStore

from chained_logging import AuditLog
from chained_logging.cli import cli
from chained_logging.review.detect.finding import Finding
from chained_logging.review.query import Engine
from chained_logging.ship.progress import Progress, write_progress

ORIGIN = "example.com/audit"
TO = "nats://example.com/audit"


@pytest.fixture
def log(path: Path) -> Path:
    with AuditLog(path, origin=ORIGIN) as audit:
        audit.append("read", **EVENT)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that takes what is shipped, whatever the URL."""
    path = tmp_path / "store"
    monkeypatch.setattr(
        "chained_logging.ship.shipper.open_destination", lambda *_, **__: FolderStore(path)
    )
    return path


def ship(log: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["ship", str(log), *options])


def status(log: Path, *options: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(ship(log, "--status", "--json", *options).output)
    return rows


def test_all_entries_arrive(log: Path, store: Path) -> None:
    done = ship(log, "--to", TO)
    assert (done.exit_code, done.output) == (
        0,
        f"{TO}: up to seq 1, 0 entries and 0 s behind\n",
    )
    there = [(one.seq, one.body, one.hash) for one in FolderStore(store).records(ORIGIN)]
    assert there == stored(log)


def test_another_history_is_an_alert(log: Path, store: Path) -> None:
    assert ship(log, "--to", TO).exit_code == 0
    log.unlink()
    for beside in log.parent.glob(f"{log.name}*"):
        beside.unlink()
    with AuditLog(log, origin=ORIGIN) as audit:
        audit.append("forged", **EVENT)
    done = ship(log, "--to", TO)
    assert done.exit_code == 1
    assert "; ALERT: " in done.output


def test_a_destination_that_is_down_is_waited_for(log: Path, tmp_path: Path) -> None:
    done = ship(log, "--to", "nats://127.0.0.1:9/audit", "--patience", "0")
    assert done.exit_code == 2
    assert "; waiting: " in done.output


def test_the_status_ships_nothing(log: Path) -> None:
    assert status(log) == []
    write_progress(log, Progress(TO, 0, stored(log)[0][2]))
    write_progress(log, Progress("nats://other/x", problem="edited", alert=True))
    rows = {row["destination"]: row for row in status(log)}
    assert [rows[TO]["seq"], rows[TO]["lag_entries"]] == [0, 1]
    assert [row["destination"] for row in status(log, "--to", TO)] == [TO]
    assert ship(log, "--status").exit_code == 1
    assert ship(log, "--status", "--to", TO).exit_code == 0
    assert "up to seq -1, 2 entries" in ship(log, "--status").output


def test_a_destination_and_a_log_are_needed(log: Path) -> None:
    assert "give a destination with --to" in ship(log).output
    done = ship(log.with_name("none.db"), "--to", TO)
    assert isinstance(done.exception, FileNotFoundError)
    assert not log.with_name("none.db").exists()


class Stop(threading.Event):
    """A signal to end that comes once something is so."""

    def __init__(self, done: Callable[[], bool]) -> None:
        super().__init__()
        self._done = done
        self._until = time.monotonic() + 60

    def wait(self, timeout: float | None = None) -> bool:
        return self._done() or time.monotonic() > self._until or super().wait(0.02)


def follow(
    log: Path, monkeypatch: pytest.MonkeyPatch, detector: object, done: Callable[[], bool]
) -> Result:
    """Ship and raise alerts with one detector until something is so."""
    monkeypatch.setattr("chained_logging.net.signals.ended_by_signal", lambda: Stop(done))
    monkeypatch.setattr("chained_logging.review.detect.shipped.shipped", lambda: [detector])
    to = ("--to", TO, "--alerts", "command:cat")
    return ship(log, "--follow", "--interval", "0.02", *to)


def actions(store: Path) -> list[str]:
    return [json.loads(one.body)["action"] for one in FolderStore(store).records(ORIGIN)]


def test_what_ships_raises_alerts_too(
    log: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(log) as audit:
        audit.append("read", **(EVENT | {"result": "denied"}))
    done = follow(log, monkeypatch, Denials(), lambda: "alert.deliver" in actions(store))
    assert done.exit_code == 0, done.output
    assert actions(store)[-2:] == ["alert.raise", "alert.deliver"]


class Stuck:
    """A detector that fails as nobody foresaw, or that never returns."""

    name = "stuck"

    def __init__(self, ended: threading.Event | None = None) -> None:
        self._ended = ended
        self.looked = threading.Event()

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        self.looked.set()
        if self._ended is None:
            raise RuntimeError("its memory is gone")
        self._ended.wait()
        yield from ()


@pytest.mark.parametrize("fails", [True, False])
def test_detection_that_fails_or_hangs_keeps_nothing_from_being_shipped(
    log: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fails: bool,
) -> None:
    monkeypatch.setattr("chained_logging.cli.ship._LAST_ROUND", 0.05)
    ended = threading.Event()
    stuck = Stuck(None if fails else ended)
    with AuditLog(log) as audit:

        def shipped_meanwhile() -> bool:
            if stuck.looked.is_set() and "export" not in actions(store):
                audit.append("export", **EVENT)
            return "export" in actions(store) and bool(caplog.text or not fails)

        done = follow(log, monkeypatch, stuck, shipped_meanwhile)
    ended.set()
    assert "export" in actions(store)
    assert done.exit_code == 2
    assert ("its memory is gone" if fails else "did not end in time") in caplog.text


def test_alerts_are_raised_for_as_long_as_the_log_is_shipped(log: Path) -> None:
    assert "--alerts needs --follow" in ship(log, "--to", TO, "--alerts", "stderr").output
    assert "is not a target" in str(
        ship(log, "--follow", "--to", TO, "--alerts", "pigeon").exception
    )
