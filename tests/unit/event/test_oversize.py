"""What does not fit a body is replaced by digests, the largest values first."""

from __future__ import annotations

import json

import orjson
import pytest
from entry_bodies import GOOD, PREV, at, body, digest

from chained_logging.event.draft import draft
from chained_logging.event.oversize import pointed_at, shrink


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


def test_the_largest_are_replaced_until_enough_is_saved() -> None:
    fields = {"context": {"a": "x" * 400, "b": "y" * 500, "c": 1}, "action": "read"}
    shrunk = shrink(fields, 100)
    assert json.loads(orjson.dumps(shrunk["context"])) == {
        **{"a": "x" * 400, "b": digest("y" * 500), "c": 1, "oversize": ["/context/b"]}
    }
    assert shrunk["action"] == "read"


def test_what_a_pointer_points_to_is_found_again() -> None:
    fields = {"context": {"a/b~c": 1, "": 2}, "changed_fields": ["x"]}
    assert pointed_at(fields, "/context/a~1b~0c") == 1
    assert pointed_at(fields, "/context/") == 2
    assert pointed_at(fields, "/changed_fields/0") == "x"
    for pointer in ("/context/none", "/changed_fields/1", "/context/a~1b~0c/deeper"):
        assert pointed_at(fields, pointer) is None
