"""ECS, the Elastic Common Schema: a JSON object for each entry.

What is a caller's own (``context``, ``old_values``) is JSON in a string. As objects, their keys
would become fields of the index, and a value of another type than before would have the whole
document refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.canonical import canonical
from chained_logging.formats.meaning import (
    OTHER,
    address,
    extras,
    given,
    kind,
    noun,
    read,
    sentence,
    verb,
)

VERSION: Final = "8.17.0"

_CATEGORIES: Final = {
    "log": "configuration",
    "login": "authentication",
    "identity": "iam",
    "store": "database",
    OTHER: "api",
}
_CHANGES: Final = {"create": "creation", "update": "change", "delete": "deletion"}
_TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    "log": {"read": "access", "export": "access", **_CHANGES},
    "login": {"login": "start", "logout": "end"},
    "identity": _CHANGES,
    "store": dict.fromkeys(("read", "export"), "access")
    | dict.fromkeys(("create", "update", "delete"), "change"),
    OTHER: {"read": "access", "export": "access", **_CHANGES},
}
"""The ``event.type`` of each verb, as ECS allows it in a category. For all others, ``info``."""
_OUTCOMES: Final = {"success": "success", "failure": "failure", "denied": "failure"}
_TEXTS: Final = ("actor_type", "resource_type", "resource_id", "result", "session_id")


def encode(entry: AuditEntry, origin: str) -> bytes:
    """Return an entry as a line of JSON with an ECS document.

    :param origin: the log's name.
    :raises ValueError: if the entry cannot be converted.
    """
    return canonical(document(entry, origin)) + b"\n"


def document(entry: AuditEntry, origin: str) -> dict[str, Any]:
    """Return an entry as an ECS document.

    :raises ValueError: as :func:`encode`.
    """
    created = read(entry).recorded_text
    people = [entry.actor_id, *([entry.on_behalf_of] if entry.on_behalf_of else [])]
    ip = address(entry)
    return given(
        **{
            "@timestamp": entry.timestamp,
            "ecs": {"version": VERSION},
            "message": sentence(entry),
            "event": _event(entry, origin, created),
            "user": given(id=entry.actor_id, effective=given(id=entry.on_behalf_of)),
            "source": given(ip=ip, address=ip),
            "user_agent": given(original=entry.user_agent),
            "organization": given(id=entry.tenant_id),
            "trace": given(id=entry.trace_id),
            "related": given(user=people, ip=None if ip is None else [ip]),
            OURSELVES: _own(entry),
        }
    )


def raw(converted: Mapping[str, Any]) -> str:
    """Return the stored line in an ECS document.

    :raises KeyError: if it holds no stored line.
    """
    return str(converted["event"]["original"])


def _event(entry: AuditEntry, origin: str, created: str) -> dict[str, Any]:
    line = entry.line
    return given(
        kind="event",
        module=OURSELVES,
        dataset=f"{OURSELVES}.audit",
        provider=origin or None,
        category=[_CATEGORIES[kind(entry)]],
        type=_types(entry),
        action=entry.action,
        outcome=_OUTCOMES.get(entry.result, "unknown"),
        reason=entry.reason,
        id=entry.id,
        sequence=entry.seq,
        created=created,
        original=line.decode(),
        hash=sha256(line).hexdigest(),
    )


def _types(entry: AuditEntry) -> list[str]:
    about = kind(entry)
    found = [_TYPES[about].get(verb(entry.action), "info")]
    if about == "identity" and noun(entry.resource_type) in ("user", "group"):
        found.append(noun(entry.resource_type))
    if about == OTHER and entry.result == "denied":
        found.append("denied")
    return found


def _own(entry: AuditEntry) -> dict[str, Any]:
    """Return what ECS has no field for. The names are those of ``docs/format.md``."""
    objects = extras(entry, ("context", "old_values"))
    return given(
        **extras(entry, (*_TEXTS, "changed_fields", "resources")),
        **{name: canonical(value).decode() for name, value in objects.items()},
        hash=entry.hash,
        prev_hash=entry.prev_hash,
        incomplete=True if entry.incomplete else None,
    )
