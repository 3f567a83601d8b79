"""From an event to an entry: what is kept, what is marked, and what an entry says."""

from __future__ import annotations

import enum
import pickle
from typing import Any
from unittest import mock

import pytest
from chains import EVENT, often, read_json
from entry_bodies import FIELDS, GOOD, OPTIONAL, PREV, Key, Kind, Text, body
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chained_logging.event import draft as drafts
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry, InvalidEntry
from chained_logging.format.line import leaf_hash, stored_line

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


# --- The short way.

# What makes an event odd, and what does not, for each of its keys.
_texts = st.sampled_from(["a", "user/1", "", "é", "\0", "x" * 600, "\ud800", None, 7, Text("sub")])
_places = {
    **dict.fromkeys(("action", "actor", "actor_id", "user_id", "session_id", "reason"), _texts),
    **dict.fromkeys(("resource_type", "resource_id", "user_agent"), _texts),
    "resource": st.sampled_from(
        ["kind/1", "kind/a/b", "kind", "/1", "kind/", ("a", "b"), None, Text("a/b")]
    ),
    **dict.fromkeys(
        ("ip", "ip_address"), st.sampled_from(["10.0.0.1", "::ffff:1.2.3.4", "?", "", None])
    ),
    "actor_type": st.sampled_from(["admin", "system", "owner", None, [], Text("user")]),
    "result": st.sampled_from(["denied", "failure", "so so", None, {}]),
    "timestamp": st.sampled_from(["2026-01-02T03:04:05Z", "soon", 0]),
    "changed_fields": st.sampled_from([["a"], (), "a", [1]]),
    **dict.fromkeys(("on_behalf_of", "tenant", "tenant_id"), _texts),
    "trace_id": st.sampled_from(["1f" * 16, "0" * 32, Text("1f" * 16), 7, None]),
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
            Text("n"),
        ),
        st.sampled_from(
            [1, True, 2**53, -(2**70), "a", "\ud800", 1.0, [1], {"invalid": 1}, Text("b")]
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
    st.sampled_from(["read", None, "", "é", "\0", 3, Text("sub")]),
    st.sampled_from(["success", "failure", "fine", None, [], Text("success")]),
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
