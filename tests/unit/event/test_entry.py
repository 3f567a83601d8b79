"""From an event to an entry: each field's rule, what is marked, what is too large."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import hashlib
import ipaddress
import pickle
import re
import subprocess
import sys
import time
import uuid
from typing import Any
from unittest import mock

import pytest
import rfc8785
from chains import EVENT, often, read_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chained_logging.event import draft as drafts
from chained_logging.event.clock import timestamp, uuid7
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry, InvalidEntry
from chained_logging.format.line import leaf_hash, position, stored_line


class _Text(str):
    """A string that is none of the plain ones."""


GOOD = {"action": "read", **EVENT}
PREV = "a" * 64
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
REQUIRED = {
    *("action", "actor_id", "actor_type", "context", "id", "ip_address", "prev_hash"),
    *("resource_id", "resource_type", "result", "seq", "timestamp", "v"),
}
OPTIONAL = {
    *("changed_fields", "old_values", "on_behalf_of", "reason", "resources", "session_id"),
    *("tenant_id", "trace_id", "user_agent"),
}


def body(event: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Make an entry, check what holds for every entry, and read it back."""
    made = draft(event, **options)
    data = made.body(2**53 - 1, PREV)
    fields = read_json(data)
    assert rfc8785.dumps(fields) == data
    assert len(data) <= 65_535
    assert set(fields) >= REQUIRED
    assert set(fields) <= REQUIRED | OPTIONAL
    assert (fields["seq"], fields["prev_hash"], fields["v"]) == (2**53 - 1, PREV, 1)
    assert position(data) == (2**53 - 1, PREV)
    assert TIMESTAMP.fullmatch(fields["timestamp"])
    assert UUID7.fullmatch(fields["id"])
    assert fields["id"] == made.id
    assert made.incomplete == ("invalid" in fields["context"])
    assert "\\u0000" not in rfc8785.dumps(
        {k: v for k, v in fields.items() if isinstance(v, str)}
    ).decode().replace("\\\\", "")
    for pointer in fields["context"].get("oversize", ()):
        assert re.fullmatch(r"sha256:[0-9a-f]{64} \(\d+ bytes\)", at(fields, pointer))
    assert fields["context"].get("oversize", []) == sorted(fields["context"].get("oversize", []))
    return fields


def at(value: Any, pointer: str) -> Any:
    """Follow a JSON Pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def digest(value: Any) -> str:
    data = rfc8785.dumps(value)
    return f"sha256:{hashlib.sha256(data).hexdigest()} ({len(data)} bytes)"


def invalid(event: dict[str, Any], **options: Any) -> dict[str, Any]:
    return body(event, **options)["context"]["invalid"]


# --- Fields, aliases, precedence.


def test_a_whole_event() -> None:
    fields = body(
        {
            **GOOD,
            "actor_type": "admin",
            "result": "denied",
            "timestamp": "2026-01-02T03:04:05Z",
            "user_agent": "curl",
            "session_id": "s",
            "changed_fields": ("a", "b"),
            "old_values": {"a": 1},
            "reason": "because",
            "extra": {"deep": [1]},
        }
    )
    assert {k: v for k, v in fields.items() if k not in ("id", "seq", "prev_hash", "v")} == {
        "action": "read",
        "actor_id": "user-1",
        "actor_type": "admin",
        "changed_fields": ["a", "b"],
        "context": {"extra": {"deep": [1]}},
        "ip_address": "10.0.0.1",
        "old_values": {"a": 1},
        "reason": "because",
        "resource_id": "456",
        "resource_type": "patient_record",
        "result": "denied",
        "session_id": "s",
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "user_agent": "curl",
    }


def test_defaults() -> None:
    fields = body(GOOD)
    assert (fields["actor_type"], fields["result"], fields["context"]) == ("user", "success", {})
    assert not OPTIONAL & set(fields)
    assert body(EVENT, action="x", result="failure")["result"] == "failure"
    assert body({**EVENT, "result": "denied"}, action="x", result="failure")["result"] == "denied"
    assert body({**EVENT, "action": "mine"}, action="default")["action"] == "mine"


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


class BrokenMapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


class Untouchable:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("make", [lambda: BrokenMapping(a=1), Untouchable])
@pytest.mark.parametrize("name", ["context", "actor", "resource", "ip", "old_values", "more"])
def test_what_cannot_be_read_breaks_nobody(name: str, make: Any) -> None:
    fields = body({**GOOD, name: make()})
    assert "unprintable" in str(fields["context"]) or "invalid" in fields["context"]


def test_the_logs_own_fields_cannot_be_given() -> None:
    theirs = {"id": "mine", "seq": 7, "hash": "h", "prev_hash": "p", "v": 9, "signature": "s"}
    fields = body({**GOOD, **theirs})
    assert fields["context"] == theirs
    assert fields["id"] != "mine"


class Kind(enum.Enum):
    USER = "admin"
    INVALID = "invalid"
    OVERSIZE = "oversize"


class Key(str):
    pass


def test_reserved_keys_of_context_are_moved() -> None:
    fields = body({**GOOD, "invalid": 1, "oversize": 2})
    assert fields["context"] == {"_invalid": 1, "_oversize": 2}
    fields = body({**GOOD, "invalid": 1, "_invalid": 2, "__invalid": 3})
    assert fields["context"] == {"___invalid": 1, "_invalid": 2, "__invalid": 3}
    fields = body({**GOOD, "context": {"invalid": {"actor_id": None}, "oversize": []}})
    assert fields["context"] == {"_invalid": {"actor_id": None}, "_oversize": []}
    fields = body({**GOOD, "ip": "x", "invalid": 1})
    assert fields["context"] == {"_invalid": 1, "invalid": {"ip_address": "x"}}


@pytest.mark.parametrize("key", [Kind.INVALID, Kind.OVERSIZE, Key("invalid"), Key("oversize")])
def test_reserved_keys_in_disguise_are_moved(key: Any) -> None:
    name = key.value if isinstance(key, enum.Enum) else str(key)
    assert body({**GOOD, "context": {key: 1}})["context"] == {f"_{name}": 1}
    fields = body({**GOOD, "ip": "x", "context": {key: 1}})
    assert fields["context"] == {f"_{name}": 1, "invalid": {"ip_address": "x"}}


# --- Rules.

NAMES = ["action", "actor_id", "resource_type", "resource_id", "session_id"]


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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::", "::"),
        ("10.0.0.1:44321", "10.0.0.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[::1]", "::1"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        (("10.0.0.1", 5), "10.0.0.1"),
        (("::1", 5, 0, 0), "::1"),
        (b"10.0.0.1", "10.0.0.1"),
        (b"\x0a\x00\x00\x01", "10.0.0.1"),
        (ipaddress.ip_interface("10.0.0.1/8"), "10.0.0.1"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (ipaddress.ip_address("::ffff:1.2.3.4"), "1.2.3.4"),
    ],
)
def test_addresses(value: Any, expected: str) -> None:
    fields = body({**GOOD, "ip": value})
    assert fields["ip_address"] == expected
    assert fields["context"] == {}


@pytest.mark.parametrize(
    "value",
    [
        *("example.com", "localhost", "", "unknown", "unix:", "testclient", "example.com:80"),
        *("10.0.0.1/32", "010.0.0.1", "10.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1%eth0", "[]:80"),
        *(1, True, ["10.0.0.1"], "\udc80", "１０.0.0.1"),
    ],
)
def test_addresses_that_are_none(value: Any) -> None:
    fields = body({**GOOD, "ip": value})
    assert fields["ip_address"] == "unknown"
    kept = "\\udc80" if value == "\udc80" else value
    assert fields["context"]["invalid"] == {"ip_address": kept}


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


def test_nothing_given() -> None:
    fields = body({})
    missing = {"action", "actor_id", "ip_address", "resource_id", "resource_type"}
    assert fields["context"] == {"invalid": dict.fromkeys(missing)}
    assert {name for name, value in fields.items() if value == "unknown"} == missing


def test_strict_names_all_problems_at_once() -> None:
    event = {
        "actor": "secret\0",
        "actor_type": "robot",
        "ip": "host.example",
        "result": "maybe",
        "timestamp": "then",
        "changed_fields": 5,
        "old_values": [],
        "session_id": "",
        "reason": [],
        "user_agent": True,
        "on_behalf_of": "",
        "resources": ["kind/1", 7],
        "tenant_id": {},
    }
    with pytest.raises(InvalidEntry) as caught:
        draft(event, strict=True)
    expected = {*event, "action", "resource_id", "resource_type", "actor_id", "ip_address"}
    assert set(caught.value.problems) == expected - {"actor", "ip"}
    assert all(name in str(caught.value) for name in caught.value.problems)
    assert "secret" not in str(caught.value)
    assert "host.example" not in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert isinstance(caught.value, ValueError)
    assert not draft(GOOD, strict=True).incomplete


# --- Nothing that is given makes it fail.


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class NastyHash(Nasty):
    def __hash__(self) -> int:
        raise RuntimeError("no")


FIELDS = [
    *(*NAMES, "actor_type", "result", "ip_address", "timestamp", "user_agent", "changed_fields"),
    *("old_values", "reason", "actor", "user_id", "ip", "resource", "context"),
    *("on_behalf_of", "resources", "tenant", "trace_id"),
]
NASTY = [
    Nasty(),
    NastyHash(),
    [Nasty()],
    dt.datetime(2026, 1, 1, tzinfo=dt.tzinfo()),
    10**5000,
    "\ud800\0",
    object,
]


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("number", range(len(NASTY)))
def test_no_value_makes_it_raise(name: str, number: int) -> None:
    body({**GOOD, name: NASTY[number]})
    with contextlib.suppress(InvalidEntry):  # nothing else
        draft({**GOOD, name: NASTY[number]}, strict=True)


texts = st.text(st.characters(), max_size=30)
large = st.builds(
    lambda text, times: text * times,
    st.sampled_from(["x", "é", "\U0001f600", "\x01", '"', "\udc80", "ab/~"]),
    st.sampled_from([1, 90, 101, 1025, 9_000, 40_000, 70_000]),
)
simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([1e16, 1e20, 12345678901234567890.0]),
    texts,
    large,
    st.datetimes(),
    st.binary(max_size=9),
)
value = st.one_of(
    simple,
    st.lists(simple, max_size=4),
    st.dictionaries(st.one_of(texts, large), simple, max_size=4),
    st.builds(lambda n, item: [item] * n, st.sampled_from([500, 5000]), st.integers(0, 9)),
    st.builds(lambda n: {f"k{i}": i for i in range(n)}, st.sampled_from([2000, 9000])),
)
events = st.dictionaries(
    st.one_of(st.sampled_from([*FIELDS, "invalid", "oversize", "id", "seq", "all"]), texts, large),
    value,
    max_size=9,
)
slow = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    max_examples=60,
)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@given(events)
@slow
def test_any_event_is_a_valid_entry(event: dict[Any, Any]) -> None:
    body(event)


# --- Too large.


def test_the_largest_value_gives_way() -> None:
    fields = body({**GOOD, "big": "é" * 40_000, "small": "x" * 1000, "list": [1.5, 1e16]})
    context = fields["context"]
    assert context["oversize"] == ["/context/big"]
    assert context["big"] == digest("é" * 40_000)
    assert context["small"] == "x" * 1000
    assert context["list"] == [1.5, 1e16]


@pytest.mark.parametrize("number", [1e16, 1e17, 123456789012345680000.0, -1e20])
def test_large_floats_beside_a_large_value(number: float) -> None:
    fields = body({**GOOD, "n": number, "big": [number] * 9000})
    assert fields["context"]["n"] == number
    assert fields["context"]["big"] == digest([number] * 9000)
    fields = body({**GOOD, "old_values": {"n": number, "big": "x" * 70_000}})
    assert fields["old_values"] == {"n": number, "big": digest("x" * 70_000)}


def test_pointers_are_escaped() -> None:
    big = "x" * 40_000
    fields = body({**GOOD, "a/b~c": big, "~1": big, "old_values": {"/": big, "": big, "é": big}})
    assert set(fields["context"]["oversize"]) <= {
        *("/context/a~1b~0c", "/context/~01", "/old_values/~1", "/old_values/", "/old_values/é")
    }
    assert len(fields["context"]["oversize"]) >= 4
    for pointer in fields["context"]["oversize"]:
        assert at(fields, pointer) == digest(big)


@pytest.mark.parametrize("name", ["reason", "user_agent"])
def test_large_texts(name: str) -> None:
    fields = body({**GOOD, name: "y" * 70_000})
    assert fields[name] == digest("y" * 70_000)
    assert fields["context"] == {"oversize": [f"/{name}"]}


def test_large_changed_fields() -> None:
    names = [f"field_{n}" for n in range(9000)]
    fields = body({**GOOD, "changed_fields": names})
    assert fields["changed_fields"] == [digest(names)]
    assert fields["context"] == {"oversize": ["/changed_fields/0"]}


def test_many_small_values() -> None:
    small = {f"key_{n:05}": n for n in range(9000)}
    fields = body({**GOOD, **small})
    assert fields["context"] == {"all": digest(small), "oversize": ["/context/all"]}
    fields = body({**GOOD, "old_values": small, "kept": "no"})
    assert fields["old_values"] == {"all": digest(small)}
    assert "/old_values/all" in fields["context"]["oversize"]


def test_a_large_key() -> None:
    fields = body({**GOOD, "k" * 70_000: 1})
    assert fields["context"] == {"all": digest({"k" * 70_000: 1}), "oversize": ["/context/all"]}


def test_large_invalid_values() -> None:
    big = "z" * 70_000
    fields = body({**GOOD, "actor": big, "session_id": big, "ip": "host"})
    assert fields["actor_id"] == "unknown"
    assert fields["context"] == {
        "invalid": {"actor_id": digest(big), "session_id": digest(big), "ip_address": "host"},
        "oversize": ["/context/invalid/actor_id", "/context/invalid/session_id"],
    }


def test_a_digest_is_that_of_the_value_not_of_a_digest() -> None:
    big = "z" * 70_000
    small = {f"key_{n:05}": n for n in range(9000)}
    fields = body({**GOOD, **small, "actor": big})
    assert fields["context"]["invalid"]["actor_id"] == digest(big)
    assert "/context/invalid/actor_id" in fields["context"]["oversize"]


def test_a_body_just_small_enough_is_kept_whole() -> None:
    empty = len(draft({**GOOD, "x": ""}).body(2**53 - 1, PREV))
    fields = body({**GOOD, "x": "a" * (65_535 - empty - 40)})
    assert "oversize" not in fields["context"]
    fields = body({**GOOD, "x": "a" * (65_535 - empty + 1)})
    assert fields["context"]["oversize"] == ["/context/x"]


# --- The short way.

# What makes an event odd, and what does not, for each of its keys.
_texts = st.sampled_from(["a", "user/1", "", "é", "\0", "x" * 600, "\ud800", None, 7, _Text("sub")])
_places = {
    **dict.fromkeys(("action", "actor", "actor_id", "user_id", "session_id", "reason"), _texts),
    **dict.fromkeys(("resource_type", "resource_id", "user_agent"), _texts),
    "resource": st.sampled_from(
        ["kind/1", "kind/a/b", "kind", "/1", "kind/", ("a", "b"), None, _Text("a/b")]
    ),
    **dict.fromkeys(
        ("ip", "ip_address"), st.sampled_from(["10.0.0.1", "::ffff:1.2.3.4", "?", "", None])
    ),
    "actor_type": st.sampled_from(["admin", "system", "owner", None, [], _Text("user")]),
    "result": st.sampled_from(["denied", "failure", "so so", None, {}]),
    "timestamp": st.sampled_from(["2026-01-02T03:04:05Z", "soon", 0]),
    "changed_fields": st.sampled_from([["a"], (), "a", [1]]),
    **dict.fromkeys(("on_behalf_of", "tenant", "tenant_id"), _texts),
    "trace_id": st.sampled_from(["1f" * 16, "0" * 32, _Text("1f" * 16), 7, None]),
    "resources": st.sampled_from([["a/1", ("b", 2)], ("a/1", "a/1"), [], "a/1", [7], {"a/1"}]),
    "old_values": st.sampled_from([{"a": 1}, {"é": 2.5}, 3]),
    **dict.fromkeys(("audit", "event", "exc_info"), st.just(True)),
    **dict.fromkeys(
        (
            "context",
            "invalid",
            "oversize",
            "resources_part",
            "n",
            "é",
            "\ud800",
            1,
            True,
            None,
            _Text("n"),
        ),
        st.sampled_from(
            [1, True, 2**53, -(2**70), "a", "\ud800", 1.0, [1], {"invalid": 1}, _Text("b")]
        ),
    ),
}
_good = st.sampled_from([{}, {"actor": "u", "resource": "kind/1", "ip": "10.0.0.1"}])


@settings(max_examples=often(1500), deadline=None)
@given(
    _good,
    st.lists(st.sampled_from(list(_places)), max_size=6, unique_by=id).flatmap(
        lambda keys: st.fixed_dictionaries({key: _places[key] for key in keys})
    ),
    st.sampled_from(["read", None, "", "é", "\0", 3, _Text("sub")]),
    st.sampled_from(["success", "failure", "fine", None, [], _Text("success")]),
    st.booleans(),
)
def test_the_short_way_makes_what_the_careful_way_makes(
    good: dict[str, Any], more: dict[Any, Any], action: Any, result: Any, strict: bool
) -> None:
    event = {**good, **more}

    def outcome(event: Any) -> Any:
        try:
            made = draft(event, action=action, result=result, strict=strict)
        except InvalidEntry as error:
            return error.problems
        fields = read_json(made.body(1, PREV))
        if more.get("timestamp") is None or "timestamp" in fields["context"].get("invalid", ()):
            del fields["timestamp"]
        return made.incomplete, {**fields, "id": None}

    short = outcome(event)
    with mock.patch.object(drafts, "_plain_fields", return_value=None):
        assert short == outcome(event)


def test_plain_events_go_the_short_way_and_keys_made_up_at_run_time_cost_no_memory() -> None:
    shape = drafts._shape_of(GOOD)
    assert shape is not None
    assert drafts._plain_fields(shape, GOOD, "success", True) is not None
    for n in range(3000):
        draft({**EVENT, f"key-{n}": 1})
    assert len(drafts._shapes) <= 1000


# --- Identity and time.


def test_uuid7() -> None:
    now = 1_767_323_045_123_456_789
    ids = [uuid7(now) for _ in range(2000)]
    assert len(set(ids)) == 2000
    for text in ids:
        assert UUID7.fullmatch(text)
        assert uuid.UUID(text).int >> 80 == now // 1_000_000
        assert uuid.UUID(text).variant == uuid.RFC_4122
    # Each of the 74 random bits is one, and is zero, somewhere.
    random = ((1 << 62) - 1) | (0xFFF << 64)
    ones = zeros = 0
    for text in ids:
        ones |= uuid.UUID(text).int
        zeros |= ~uuid.UUID(text).int
    assert ones & random == zeros & random == random


FORK = """
import os, time
from chained_logging.event.clock import uuid7
now = time.time_ns()
ids = [uuid7(now)]
pipes = []
for _ in range(4):
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, "\\n".join(uuid7(now) for _ in range(300)).encode())
        os._exit(0)
    os.close(w)
    pipes.append(r)
ids += [uuid7(now) for _ in range(300)]
for r in pipes:
    with open(r) as file:
        ids += file.read().split()
assert len(ids) == 1501, len(ids)
assert len(set(ids)) == 1501, len(set(ids))
"""


def test_forked_children_make_ids_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_timestamp_of_the_clock(now: int) -> None:
    text = timestamp(now)
    assert len(text) == 27
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=now // 1000)
    assert dt.datetime.fromisoformat(text) == moment


# --- Reading.


def test_reading_an_entry() -> None:
    data = draft(GOOD).body(0, "GENESIS")
    hash = leaf_hash(data)
    read = AuditEntry.from_line(stored_line(data, hash))
    assert (read.body, read.hash, read.signature) == (data, hash, None)
    assert (read.seq, read.action, read.reason, read.incomplete) == (0, "read", None, False)
    assert read.line == stored_line(data, hash)
    assert read == AuditEntry(data, hash)
    with pytest.raises(AttributeError):
        _ = read.nonsense
    with pytest.raises(ValueError, match="not a stored line"):
        AuditEntry.from_line(data)
