"""ECS documents."""

from __future__ import annotations

import hashlib
import json

import pytest
from chains import read_json
from format_entries import EVENTS, HOSTILE, ORIGIN, vectors

from chained_logging import AuditEntry
from chained_logging.formats import ecs

ALLOWED = {
    "api": "access admin allowed change creation deletion denied end info start user",
    "authentication": "start end info",
    "configuration": "access change creation deletion info",
    "database": "access change info error",
    "iam": "admin change creation deletion group info user",
}
"""Which ``event.type`` ECS 8.17 expects in a category."""

FIELDS = {
    *("@timestamp", "ecs", "message", "event", "user", "source", "user_agent"),
    *("organization", "trace", "related", "chained_logging"),
}


@pytest.mark.parametrize("name", ["genesis", *EVENTS])
def test_the_category_allows_the_type(entries: dict[str, AuditEntry], name: str) -> None:
    document = ecs.document(entries[name], ORIGIN)
    (category,) = document["event"]["category"]
    assert set(document["event"]["type"]) <= set(ALLOWED[category].split())
    assert document["event"]["outcome"] in ("success", "failure", "unknown")
    assert document.keys() <= FIELDS


@pytest.mark.parametrize(
    ("name", "category", "types"),
    [
        ("genesis", "configuration", ["access"]),
        ("read", "api", ["access"]),
        ("denied", "api", ["access", "denied"]),
        ("login", "authentication", ["start"]),
        ("logout", "authentication", ["end"]),
        ("user", "iam", ["creation", "user"]),
        ("group", "iam", ["change", "group"]),
        ("role", "iam", ["info"]),
        ("table", "database", ["change"]),
        ("bucket", "database", ["access"]),
        ("other", "api", ["info"]),
    ],
)
def test_an_entry_has_its_category(
    entries: dict[str, AuditEntry], name: str, category: str, types: list[str]
) -> None:
    event = ecs.document(entries[name], ORIGIN)["event"]
    assert (event["category"], event["type"]) == ([category], types)


def test_the_fields_are_where_a_reader_of_ecs_looks(entries: dict[str, AuditEntry]) -> None:
    entry = entries["for"]
    document = ecs.document(entry, ORIGIN)
    assert document["@timestamp"] == entry.timestamp
    assert document["user"] == {"id": "ann", "effective": {"id": "carol"}}
    assert document["source"] == {"ip": "10.0.0.1", "address": "10.0.0.1"}
    assert document["related"] == {"user": ["ann", "carol"], "ip": ["10.0.0.1"]}
    assert (document["event"]["id"], document["event"]["sequence"]) == (entry.id, entry.seq)
    assert document["event"]["provider"] == ORIGIN
    own = document["chained_logging"]
    assert (own["resource_type"], own["resource_id"], own["hash"]) == ("note", "1", entry.hash)


def test_what_callers_name_becomes_no_field(entries: dict[str, AuditEntry]) -> None:
    own = ecs.document(entries["hostile"], ORIGIN)["chained_logging"]
    assert json.loads(own["context"]) == {"note": HOSTILE}
    assert json.loads(ecs.document(entries["group"], "")["chained_logging"]["old_values"]) == {
        "name": "x"
    }


def test_an_address_that_is_not_known_is_left_out(entries: dict[str, AuditEntry]) -> None:
    assert "source" not in ecs.document(entries["incomplete"], ORIGIN)
    assert ecs.document(entries["incomplete"], ORIGIN)["chained_logging"]["incomplete"] is True


def test_the_original_is_the_stored_line(entries: dict[str, AuditEntry]) -> None:
    for entry in (*entries.values(), *vectors()):
        data = ecs.encode(entry, ORIGIN)
        assert data.count(b"\n") == 1
        document = read_json(data)
        assert ecs.raw(document).encode() == entry.line
        assert document["event"]["hash"] == hashlib.sha256(entry.line).hexdigest()
