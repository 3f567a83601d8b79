"""What the baselines look at in an entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chained_logging import AuditLog
from chained_logging.review.detect.baselines.calendar import Calendar
from chained_logging.review.detect.baselines.event import Event, event, family, network
from chained_logging.review.detect.reading import Entry, parsed
from chained_logging.sinks import open_sink


def seen(folder: Path, **fields: Any) -> Event:
    given = {"action": "read", "actor": "ann", "resource": "record/1", "ip": "10.0.0.1", **fields}
    with AuditLog(folder / "audit.jsonl") as log:
        log.append(**given)
    *_, record = open_sink(folder / "audit.jsonl").records()
    return event(parsed(record.body, record.hash), Calendar())


def test_fields_are_those_of_the_entry(tmp_path: Path) -> None:
    found = seen(
        tmp_path,
        timestamp="2026-03-02T09:30:00Z",
        resources=[{"type": "note", "id": "7"}],
        on_behalf_of="bob",
        changed_fields=["roles"],
    )
    assert (found.seq, found.actor, found.person, found.behalf) == (1, "ann", True, "bob")
    assert found.records == ("record/1", "note/7")
    assert (found.hour, found.changed) == (9, ("roles",))


def test_a_whole_collection_is_not_a_record(tmp_path: Path) -> None:
    assert seen(tmp_path, resource="record/*").records == ()


@pytest.mark.parametrize(
    ("action", "verb"),
    [("DownloadFile", "export"), ("print", "export"), ("order.delete", "delete"), ("x", "other")],
)
def test_actions_are_understood(tmp_path: Path, action: str, verb: str) -> None:
    assert seen(tmp_path, action=action).verb == verb


@pytest.mark.parametrize(
    ("fields", "glass"),
    [
        ({"action": "break_glass"}, True),
        ({"action": "emergency-access"}, True),
        ({"break_glass": True}, True),
        ({"break_glass": False}, False),
        ({}, False),
    ],
)
def test_emergency_access_shows_in_the_action_or_in_the_context(
    tmp_path: Path, fields: dict[str, Any], glass: bool
) -> None:
    assert seen(tmp_path, **fields).glass is glass


def test_an_incomplete_entry_is_known(tmp_path: Path) -> None:
    assert seen(tmp_path, ip="nowhere").incomplete


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("10.0.0.1", "10.0.0"), ("2001:db8:1:2ff::5", "2001:db8:1:200::/56"), ("unknown", "unknown")],
)
def test_networks(ip: str, expected: str) -> None:
    assert network(ip) == expected


def test_an_update_of_a_program_changes_nothing() -> None:
    assert family("Firefox/130.0.1 (Linux)") == family("Firefox/131.2 (Linux)")
    assert family("Firefox/130") != family("Chrome/130")


def test_what_is_not_an_entry_is_refused() -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        event(Entry(0, {}, b"{}", ""), Calendar())
