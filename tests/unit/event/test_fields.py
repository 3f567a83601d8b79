"""Each field's rule, and what keeps to none."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import uuid
from typing import Any

import pytest
from entry_bodies import FIELDS, GOOD, NAMES, NASTY, Kind, body

from chained_logging.event.clock import timestamp
from chained_logging.event.draft import draft
from chained_logging.event.entry import InvalidEntry


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"),
        ("x" * 1024, "x" * 1024),
        ("é" * 512, "é" * 512),
        (7, "7"),
        (2**70, str(2**70)),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Kind.USER, "admin"),
        ("a\udc80", "a\\udc80"),
        ("a\x01\n", "a\x01\n"),
    ],
)
def test_identifiers(name: str, value: Any, expected: str) -> None:
    fields = body({**GOOD, name: value})
    assert fields[name] == expected
    assert fields["context"] == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("", ""),
        ("x" * 1025, "x" * 1025),
        ("é" * 513, "é" * 513),
        ("a\0", "a\0"),
        ("é\0", "é\0"),
        (True, True),
        (1.5, 1.5),
        (["x"], ["x"]),
        ({"x": 1}, {"x": 1}),
    ],
)
def test_identifiers_that_are_none(name: str, value: Any, kept: Any) -> None:
    fields = body({**GOOD, name: value})
    assert fields["context"]["invalid"] == {name: kept}
    assert fields.get(name) == (None if name == "session_id" else "unknown")


@pytest.mark.parametrize("name", ["reason", "user_agent"])
def test_plain_text(name: str) -> None:
    assert body({**GOOD, name: ""})[name] == ""
    assert body({**GOOD, name: "é\n" * 5000})[name] == "é\n" * 5000
    for value in (["x"], True, 1.5, "a\0b"):
        fields = body({**GOOD, name: value})
        assert name not in fields
        assert fields["context"]["invalid"] == {name: value}


def test_enumerations() -> None:
    for kind in ("user", "admin", "service", "system"):
        assert body({**GOOD, "actor_type": kind})["actor_type"] == kind
    for result in ("success", "failure", "denied"):
        assert body({**GOOD, "result": result})["result"] == result
    assert body({**GOOD, "actor_type": Kind.USER})["actor_type"] == "admin"
    for value in ("unknown", "User", "", 1, ["user"], {"a": 1}, True):
        for name in ("actor_type", "result"):
            fields = body({**GOOD, name: value})
            assert fields[name] == "unknown"
            assert fields["context"]["invalid"] == {name: value}


def test_only_services_may_lack_an_address() -> None:
    event = {"action": "a", "actor": "x", "resource": "x/1"}
    for kind in ("service", "system"):
        assert body({**event, "actor_type": kind})["ip_address"] is None
        assert body({**event, "actor_type": kind, "ip": None}, strict=True)["context"] == {}
    for kind in ("user", "admin"):
        fields = body({**event, "actor_type": kind})
        assert fields["ip_address"] == "unknown"
        assert fields["context"]["invalid"] == {"ip_address": None}
    fields = body({**event, "actor_type": "robot"})
    assert fields["ip_address"] == "unknown"
    assert fields["context"]["invalid"] == {"actor_type": "robot", "ip_address": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123456+02:00", "2026-01-02T01:04:05.123456Z"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00.000000Z"),
        (dt.datetime(1, 1, 1, tzinfo=dt.UTC), "0001-01-01T00:00:00.000000Z"),
        (dt.datetime.max.replace(tzinfo=dt.UTC), "9999-12-31T23:59:59.999999Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (1.5, "1970-01-01T00:00:01.500000Z"),
        (-1, "1969-12-31T23:59:59.000000Z"),
    ],
)
def test_timestamps(value: Any, expected: str) -> None:
    fields = body({**GOOD, "timestamp": value})
    assert fields["timestamp"] == expected
    assert len(fields["timestamp"]) == 27
    assert fields["context"] == {}


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2026, 1, 2),
        dt.date(2026, 1, 2),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=1))),
        *("2026-01-02T03:04:05", "yesterday", "", "2026-13-01T00:00:00Z", "\udc80"),
        *(1e300, float("nan"), float("inf"), True, [], 10**400),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_timestamps_that_are_none(value: Any) -> None:
    before = timestamp(time.time_ns())
    fields = body({**GOOD, "timestamp": value})
    assert list(fields["context"]["invalid"]) == ["timestamp"]
    assert before <= fields["timestamp"] <= timestamp(time.time_ns())
    with pytest.raises(InvalidEntry, match="timestamp"):
        draft({**GOOD, "timestamp": value}, strict=True)


def test_changed_fields_and_old_values() -> None:
    fields = body({**GOOD, "changed_fields": {"b", "a"}, "old_values": {"x": b"", 1: None}})
    assert fields["changed_fields"] == ["a", "b"]
    assert fields["old_values"] == {"x": "base64:", "1": None}
    for value in ("abc", b"abc", [1], {"a": 1}, 5, [None]):
        fields = body({**GOOD, "changed_fields": value})
        assert "changed_fields" not in fields
        assert set(fields["context"]["invalid"]) == {"changed_fields"}
    for value in ("abc", [1], 5, True):
        fields = body({**GOOD, "old_values": value})
        assert "old_values" not in fields
        assert fields["context"]["invalid"] == {"old_values": value}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("number", range(len(NASTY)))
def test_no_value_makes_it_raise(name: str, number: int) -> None:
    body({**GOOD, name: NASTY[number]})
    with contextlib.suppress(InvalidEntry):  # nothing else
        draft({**GOOD, name: NASTY[number]}, strict=True)


@pytest.mark.parametrize("name", ["actor", "user_id", "actor_id"])
def test_aliases_of_the_actor(name: str) -> None:
    assert body({"action": "a", "resource": "x/1", "ip": "::1", name: "me"})["actor_id"] == "me"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("a/b", ("a", "b")),
        ("a/b/c", ("a", "b/c")),
        (("a/b", "c"), ("a/b", "c")),
        (["a", 7], ("a", "7")),
        ("a", ("a", "*")),
        ("/a", ("path", "/a")),
    ],
)
def test_alias_resource(resource: Any, expected: tuple[str, str]) -> None:
    fields = body({**GOOD, "resource": resource})
    assert (fields["resource_type"], fields["resource_id"]) == expected
    assert fields["context"] == {}


@pytest.mark.parametrize("resource", ["a/", "", 5, ["a"], ("a", "b", "c"), {"a": 1}])
def test_a_resource_that_is_none(resource: Any) -> None:
    fields = body({**GOOD, "resource": resource})
    assert "unknown" in (fields["resource_type"], fields["resource_id"])
    assert set(fields["context"]["invalid"]) <= {"resource_type", "resource_id"}


def test_the_later_of_two_wins() -> None:
    base = {"action": "a", "resource": "x/1", "ip": "::1"}
    assert body({**base, "actor": "1", "user_id": "2", "actor_id": "3"})["actor_id"] == "3"
    assert body({**base, "actor_id": "3", "user_id": "2", "actor": "1"})["actor_id"] == "1"
    assert body({**base, "actor": "1", "actor_id": None})["actor_id"] == "1"
    assert body({**GOOD, "resource_id": "9"})["resource_id"] == "9"
    assert body({"resource_id": "9", **GOOD})["resource_id"] == "456"
    assert body({**GOOD, "ip_address": "::2"})["ip_address"] == "::2"


def test_context() -> None:
    assert body({**GOOD, "a": 1, "context": {"b": 2}})["context"] == {"a": 1, "b": 2}
    assert body({**GOOD, "a": 1, "context": {"a": 2}})["context"]["a"] == 1
    assert body({**GOOD, "context": "text"})["context"] == {"context": "text"}
    assert body({**GOOD, "context": None})["context"] == {}
    for key in ("audit", "audit_id", "event", "exc_info", "stack_info"):
        assert body({**GOOD, key: "x"})["context"] == {}


def test_the_logs_own_fields_cannot_be_given() -> None:
    theirs = {"id": "mine", "seq": 7, "hash": "h", "prev_hash": "p", "v": 9, "signature": "s"}
    fields = body({**GOOD, **theirs})
    assert fields["context"] == theirs
    assert fields["id"] != "mine"
