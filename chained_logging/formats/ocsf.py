"""OCSF 1.9, the Open Cybersecurity Schema Framework: a JSON object for each entry.

The stored line is in ``raw_data``, byte for byte, so a receiver can check the entry's hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.canonical import canonical
from chained_logging.formats.meaning import (
    OTHER,
    Moments,
    address,
    extras,
    given,
    kind,
    milliseconds,
    noun,
    read,
    sentence,
    verb,
)

VERSION: Final = "1.9.0-dev"

_OTHER_ID: Final = 99
_STATUS: Final = {"success": (1, "Success"), "failure": (2, "Failure"), "denied": (2, "Failure")}
_UNKNOWN: Final = (0, "Unknown")
_SEVERITY: Final = {"success": (1, "Informational"), "failure": (2, "Low"), "denied": (2, "Low")}
_ACTORS: Final = {
    "user": (1, "User"),
    "admin": (2, "Admin"),
    "system": (3, "System"),
    "service": (4, "Service"),
}
_UNMAPPED: Final = (
    *("context", "changed_fields", "old_values", "on_behalf_of", "resources", "prev_hash"),
    *("actor_type", "resource_type", "resource_id", "trace_id"),
)


class _Class(NamedTuple):
    """A class of events, and the activities in it by verb."""

    uid: int
    name: str
    category_uid: int
    category: str
    activities: Mapping[str, tuple[int, str]]
    part: Callable[[AuditEntry], dict[str, Any]]
    profiles: tuple[str, ...] = ()


def encode(entry: AuditEntry, origin: str) -> bytes:
    """Return an entry as a line of JSON with an OCSF event.

    :param origin: the log's name.
    :raises ValueError: if the entry cannot be converted.
    """
    return canonical(event(entry, origin)) + b"\n"


def event(entry: AuditEntry, origin: str) -> dict[str, Any]:
    """Return an entry as an OCSF event.

    :raises ValueError: as :func:`encode`.
    """
    moments = read(entry)
    of = _CLASSES[kind(entry)]
    return {
        **_classified(entry, of),
        **_common(entry, moments),
        **_raw(entry, origin),
        **of.part(entry),
        "metadata": _metadata(entry, moments, origin, of),
    }


def raw(converted: Mapping[str, Any]) -> str:
    """Return the stored line in an OCSF event.

    :raises KeyError: if it holds no stored line.
    """
    return str(converted["raw_data"])


# --- What all classes have.


def _classified(entry: AuditEntry, of: _Class) -> dict[str, Any]:
    activity, name = _activity(entry, of)
    return {
        "class_uid": of.uid,
        "class_name": of.name,
        "category_uid": of.category_uid,
        "category_name": of.category,
        "activity_id": activity,
        "activity_name": name,
        "type_uid": of.uid * 100 + activity,
        "type_name": f"{of.name}: {'Other' if activity == _OTHER_ID else name}",
    }


def _activity(entry: AuditEntry, of: _Class) -> tuple[int, str]:
    known = of.activities.get(entry.action if of is _LOG else verb(entry.action))
    return known or (_OTHER_ID, entry.action)


def _common(entry: AuditEntry, moments: Moments) -> dict[str, Any]:
    severity, severity_name = _SEVERITY.get(entry.result, _UNKNOWN)
    status, status_name = _STATUS.get(entry.result, _UNKNOWN)
    common = given(
        time=milliseconds(moments.occurred),
        time_dt=entry.timestamp,
        severity_id=severity,
        severity=severity_name,
        status_id=status,
        status=status_name,
        status_code=entry.result,
        status_detail=entry.reason,
        message=sentence(entry),
        unmapped=extras(entry, _UNMAPPED),
    )
    if entry.result == "denied":
        common |= {
            "action_id": 2,
            "action": "Denied",
            "disposition_id": 2,
            "disposition": "Blocked",
        }
    return common


def _raw(entry: AuditEntry, origin: str) -> dict[str, Any]:
    line = entry.line
    return {
        "raw_data": line.decode(),
        "raw_data_size": len(line),
        "raw_data_hash": {
            "algorithm_id": 3,
            "algorithm": "SHA-256",
            "value": sha256(line).hexdigest(),
        },
        "attestation_list": [
            given(
                chain_uid=origin or None,
                fingerprint={
                    # Over a part of raw_data and not over this event, so not plain SHA-256 to OCSF.
                    "algorithm_id": _OTHER_ID,
                    "algorithm": "RFC 6962 leaf hash (SHA-256) of the body in raw_data",
                    "serialization_id": _OTHER_ID,
                    "serialization": "chained_logging format 1",
                    "encoding_id": 1,
                    "encoding": "Hex",
                    "value": entry.hash,
                },
            )
        ],
    }


def _metadata(entry: AuditEntry, moments: Moments, origin: str, of: _Class) -> dict[str, Any]:
    profiles = ["datetime", "record_integrity", *of.profiles]
    if entry.result == "denied":
        profiles.append("security_control")
    return given(
        version=VERSION,
        product={"name": OURSELVES, "vendor_name": OURSELVES},
        uid=entry.id,
        sequence=entry.seq,
        event_code=entry.action,
        log_name=origin or None,
        log_format=f"{OURSELVES} format {entry.v}",
        original_time=entry.timestamp,
        logged_time=milliseconds(moments.recorded),
        tenant_uid=entry.tenant_id,
        labels=["incomplete"] if entry.incomplete else None,
        profiles=sorted(profiles),
    )


# --- Parts.


def _user(entry: AuditEntry) -> dict[str, Any]:
    number, name = _ACTORS.get(entry.actor_type, _UNKNOWN)
    return {"uid": entry.actor_id, "type_id": number, "type": name}


def _session(entry: AuditEntry) -> dict[str, Any]:
    return given(uid=entry.session_id)


def _actor(entry: AuditEntry) -> dict[str, Any]:
    return given(user=_user(entry), session=_session(entry))


def _endpoint(entry: AuditEntry) -> dict[str, Any]:
    """Return where the event came from. OCSF wants a name or a uid there, beside an address."""
    ip = address(entry)
    if ip is not None:
        return {"ip": ip, "name": ip}
    return {"name": "unknown" if entry.ip_address is not None else entry.actor_id}


def _request(entry: AuditEntry) -> dict[str, Any]:
    return given(user_agent=entry.user_agent)


def _api(entry: AuditEntry) -> dict[str, Any]:
    others = entry.resources or ()
    return given(
        actor=_actor(entry),
        api={"operation": entry.action},
        src_endpoint=_endpoint(entry),
        http_request=_request(entry),
        trace=given(uid=entry.trace_id),
        resources=[
            _resource(entry.resource_type, entry.resource_id, (1, "Target")),
            *(_resource(each["type"], each["id"], (3, "Affected")) for each in others),
        ],
    )


def _resource(type: str, id: str, role: tuple[int, str]) -> dict[str, Any]:
    return {"uid": id, "type": type, "role_id": role[0], "role": role[1]}


def _login(entry: AuditEntry) -> dict[str, Any]:
    return given(
        user=_user(entry),
        session=_session(entry),
        service={"name": entry.resource_type, "uid": entry.resource_id},
        src_endpoint=_endpoint(entry),
        http_request=_request(entry),
    )


_ENTITIES: Final = {
    "user": (2, "User"),
    "group": (3, "Group"),
    "team": (3, "Group"),
    "organization": (4, "Organization"),
    "tenant": (4, "Organization"),
    "policy": (5, "Policy"),
}


def _identity(entry: AuditEntry) -> dict[str, Any]:
    number, name = _ENTITIES.get(noun(entry.resource_type), (_OTHER_ID, entry.resource_type))
    return given(
        actor=_actor(entry),
        entity={"uid": entry.resource_id, "type_id": number, "type": name},
        src_endpoint=_endpoint(entry),
        http_request=_request(entry),
        comment=entry.reason,
    )


_STORES: Final = {
    "database": (1, "Database", "database"),
    "bucket": (2, "Databucket", "databucket"),
    "table": (3, "Table", "table"),
}


def _store(entry: AuditEntry) -> dict[str, Any]:
    number, name, attribute = _STORES[noun(entry.resource_type)]
    store: dict[str, Any] = {"uid": entry.resource_id, "name": entry.resource_id}
    if attribute != "table":
        store |= {"type_id": 0, "type": "Unknown"}
    return given(
        actor=_actor(entry),
        src_endpoint=_endpoint(entry),
        http_request=_request(entry),
        type_id=number,
        type=name,
        **{attribute: store},
    )


def _log(entry: AuditEntry) -> dict[str, Any]:
    return given(
        actor=_actor(entry),
        src_endpoint=_endpoint(entry),
        log_name=entry.resource_id,
        log_provider=OURSELVES,
        log_type_id=2,
        log_type="Application",
    )


# --- Classes.

_IAM: Final = (3, "Identity & Access Management")
_APPLICATION: Final = (6, "Application Activity")
_CHANGES: Final = {
    "create": (1, "Create"),
    "read": (2, "Read"),
    "update": (3, "Update"),
    "delete": (4, "Delete"),
}
_LOG: Final = _Class(
    *(1008, "Event Log Activity", 1, "System Activity"),
    {
        "log.open": (6, "Start"),
        "log.recover": (8, "Restart"),
        "log.reopen": (8, "Restart"),
        "retention.apply": (2, "Delete"),
    },
    _log,
    ("host",),
)
_CLASSES: Final = {
    "log": _LOG,
    "login": _Class(
        *(3002, "Authentication", *_IAM),
        {"login": (1, "Logon"), "logout": (2, "Logoff")},
        _login,
    ),
    "identity": _Class(3004, "Entity Management", *_IAM, _CHANGES, _identity, ("host",)),
    "store": _Class(
        *(6005, "Datastore Activity", *_APPLICATION),
        {
            "read": (1, "Read"),
            "update": (2, "Update"),
            "create": (6, "Create"),
            "delete": (7, "Delete"),
        },
        _store,
    ),
    OTHER: _Class(6003, "API Activity", *_APPLICATION, _CHANGES, _api, ("trace",)),
}
