"""Entries from a stream: what is passed on, what is printed, and the exit status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chained_logging.cli import cli

STATUS: dict[str, Any] = {
    "destination": "postgresql://h/d",
    "messages_waiting": 0,
    "messages_unacknowledged": 0,
    "oldest_seconds": 0.0,
    "stopped": {},
}


class Landing:
    """What a landing does, noted and not done."""

    calls: list[Any]
    status_of: dict[str, Any]
    complete = True

    def __init__(self, stream: str, opener: Any, *, partitions: list[int] | None) -> None:
        self.calls.append(("open", stream, partitions))

    def resume(self, origin: str) -> None:
        self.calls.append(("resume", origin))

    def land(self, patience: float) -> bool:
        self.calls.append(("land", patience))
        return self.complete

    def run(self, ended: Any) -> None:
        self.calls.append(("run", ended.is_set()))

    def status(self) -> dict[str, Any]:
        return self.status_of

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def landing(monkeypatch: pytest.MonkeyPatch) -> type[Landing]:
    made = type("Made", (Landing,), {"calls": [], "status_of": dict(STATUS)})
    monkeypatch.setattr("chained_logging.ship.land.Landing", made)
    return made


def land(*options: str) -> Result:
    return CliRunner().invoke(cli, ["land", "nats://h/S", "--to", "postgresql://h/d", *options])


def test_the_stream_is_emptied_once(landing: type[Landing]) -> None:
    done = land("--once", "--patience", "3", "--partitions", "0-1,5")
    assert landing.calls == [("open", "nats://h/S", [0, 1, 5]), ("land", 3.0), "close"]
    assert (done.exit_code, done.output) == (0, "postgresql://h/d: 0 messages wait\n")


def test_what_is_left_in_the_stream_shows_in_the_status(landing: type[Landing]) -> None:
    landing.complete = False
    landing.status_of |= {"messages_waiting": 1200, "messages_unacknowledged": 34}
    landing.status_of |= {"oldest_seconds": 5.4}
    done = land("--once")
    assert done.exit_code == 2
    assert done.output == "postgresql://h/d: 1,234 messages wait, the oldest for 5 s\n"


def test_a_stopped_log_is_an_alert_that_cannot_steer_the_terminal(landing: type[Landing]) -> None:
    landing.status_of["stopped"] = {"example.com/a": "edited\x1b[2J"}
    done = land("--status")
    assert done.exit_code == 1
    assert done.output.splitlines()[1] == "ALERT: example.com/a is stopped: edited\\x1b[2J"
    assert landing.calls[1:] == ["close"]  # nothing was moved


def test_a_stopped_log_is_continued_by_name(landing: type[Landing]) -> None:
    assert land("--resume", "example.com/a").exit_code == 0
    assert landing.calls[1:] == [("resume", "example.com/a"), "close"]


def test_the_status_is_printed_as_json(landing: type[Landing]) -> None:
    assert json.loads(land("--status", "--json").output) == STATUS


def test_a_stream_and_a_destination_are_needed() -> None:
    for words in (["land"], ["land", "nats://h/S"]):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2
        assert "Missing" in done.output
