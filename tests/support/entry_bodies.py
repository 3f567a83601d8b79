"""Events of all kinds, and what holds for the body of every entry."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import re
from typing import Any

import rfc8785
from chains import EVENT, read_json

from chained_logging.event.draft import draft
from chained_logging.format.line import position


class Text(str):
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


class Kind(enum.Enum):
    USER = "admin"
    INVALID = "invalid"
    OVERSIZE = "oversize"


class Key(str):
    pass


NAMES = ["action", "actor_id", "resource_type", "resource_id", "session_id"]


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
