"""FHIR AuditEvent, R4 and R5: a JSON resource for each entry, in lines (NDJSON).

The stored line is in the last ``entity``, in base64, so a receiver can check the entry's hash.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.canonical import canonical
from chained_logging.formats.meaning import OTHER, Moments, address, given, kind, noun, read, verb

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem"
_LINE: Final = "stored line"

_TYPES: Final = {
    "export": ("110106", "Export"),
    "log": ("110101", "Audit Log Used"),
    "login": ("110114", "User Authentication"),
    "patient": ("110110", "Patient Record"),
    OTHER: ("110100", "Application Activity"),
}
_ACTIONS: Final = {"create": "C", "read": "R", "export": "R", "update": "U", "delete": "D"}
_OUTCOMES: Final = {
    "success": ("0", "Success"),
    "denied": ("4", "Minor failure"),
    "failure": ("8", "Serious failure"),
}
_PATIENT: Final = ("1", "Patient")
_DOMAIN: Final = ("4", "Domain Resource")
_SECURITY: Final = ("13", "Security Resource")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def encode_r4(entry: AuditEntry, origin: str) -> bytes:
    """Return an entry as a line of JSON with an AuditEvent of FHIR R4.

    :param origin: the log's name.
    :raises ValueError: if the entry cannot be converted.
    """
    return canonical(r4(entry, origin)) + b"\n"


def encode_r5(entry: AuditEntry, origin: str) -> bytes:
    """As :func:`encode_r4`, for FHIR R5."""
    return canonical(r5(entry, origin)) + b"\n"


def raw(converted: Mapping[str, Any]) -> str:
    """Return the stored line in an AuditEvent of either release.

    :raises KeyError: if it holds no stored line.
    """
    for entity in converted["entity"]:
        for detail in entity.get("detail", ()):
            if detail["type"] in (_LINE, {"text": _LINE}):
                return base64.b64decode(detail["valueBase64Binary"]).decode()
    raise KeyError(_LINE)


# --- Release 4.


def r4(entry: AuditEntry, origin: str) -> dict[str, Any]:
    """Return an entry as an AuditEvent of FHIR R4.

    :raises ValueError: as :func:`encode_r4`.
    """
    moments = read(entry)
    code = _outcome(entry)
    return given(
        **_both(entry, moments),
        type=_coding(_DICOM, _type(entry)),
        subtype=[{"display": _text(entry.action)}],
        period={"start": entry.timestamp, "end": entry.timestamp},
        outcome=code["code"] if code else None,
        outcomeDesc=_text(entry.result),
        purposeOfEvent=_texts(entry.reason),
        agent=[_agent_r4(entry), *_principals(entry)],
        source={"observer": _observer(origin)},
        entity=[
            *(_thing_r4(type, id) for type, id in _things(entry)),
            {
                "what": _reference("entry", entry.id),
                "type": _coding(f"{_TERMS}/audit-entity-type", ("2", "System Object")),
                "role": _coding(f"{_TERMS}/object-role", _SECURITY),
                "detail": [{"type": name, **value} for name, value in _details(entry)],
            },
        ],
    )


def _agent_r4(entry: AuditEntry) -> dict[str, Any]:
    ip = address(entry)
    return _agent(entry) | given(network=None if ip is None else {"address": ip, "type": "2"})


def _thing_r4(type: str, id: str) -> dict[str, Any]:
    patient = _is_patient(type)
    of = ("1", "Person") if patient else ("2", "System Object")
    return {
        "what": _reference(type, id),
        "type": _coding(f"{_TERMS}/audit-entity-type", of),
        "role": _coding(f"{_TERMS}/object-role", _PATIENT if patient else _DOMAIN),
    }


# --- Release 5.


def r5(entry: AuditEntry, origin: str) -> dict[str, Any]:
    """Return an entry as an AuditEvent of FHIR R5.

    :raises ValueError: as :func:`encode_r4`.
    """
    moments = read(entry)
    code = _outcome(entry)
    detail = _texts(entry.result)
    return given(
        **_both(entry, moments),
        category=[{"coding": [_coding(_DICOM, _type(entry))]}],
        code={"text": _text(entry.action)},
        occurredDateTime=entry.timestamp,
        outcome={"code": code, "detail": detail} if code else None,
        authorization=_texts(entry.reason),
        agent=[_agent(entry) | given(networkString=address(entry)), *_principals(entry)],
        source={"observer": _observer(origin)},
        entity=[
            *(_thing_r5(type, id) for type, id in _things(entry)),
            {
                "what": _reference("entry", entry.id),
                "role": {"coding": [_coding(f"{_TERMS}/object-role", _SECURITY)]},
                "detail": [{"type": {"text": name}, **value} for name, value in _details(entry)],
            },
        ],
    )


def _thing_r5(type: str, id: str) -> dict[str, Any]:
    role = _PATIENT if _is_patient(type) else _DOMAIN
    return {
        "what": _reference(type, id),
        "role": {"coding": [_coding(f"{_TERMS}/object-role", role)]},
    }


# --- What both have.


def _both(entry: AuditEntry, moments: Moments) -> dict[str, Any]:
    return {
        "resourceType": "AuditEvent",
        "id": entry.id,
        "action": _ACTIONS.get(verb(entry.action), "E"),
        "recorded": moments.recorded_text,
    }


def _type(entry: AuditEntry) -> tuple[str, str]:
    about = kind(entry)
    if about in _TYPES and about != OTHER:
        return _TYPES[about]
    if verb(entry.action) == "export":
        return _TYPES["export"]
    return _TYPES["patient" if _is_patient(entry.resource_type) else OTHER]


def _is_patient(resource_type: str) -> bool:
    """Whether it is a patient or a patient's record."""
    return noun(resource_type) == "patient" or "patient_record" in resource_type.lower()


def _outcome(entry: AuditEntry) -> dict[str, str] | None:
    known = _OUTCOMES.get(entry.result)
    return None if known is None else _coding(f"{_TERMS}/audit-event-outcome", known)


def _agent(entry: AuditEntry) -> dict[str, Any]:
    return {
        "type": {"text": _text(entry.actor_type)},
        "who": _reference("actor", entry.actor_id),
        "requestor": True,
    }


def _principals(entry: AuditEntry) -> list[dict[str, Any]]:
    """Return whom the actor acted for."""
    if entry.on_behalf_of is None:
        return []
    who = _reference("actor", entry.on_behalf_of)
    return [{"type": {"text": "on behalf of"}, "who": who, "requestor": False}]


def _observer(origin: str) -> dict[str, Any]:
    return _reference("audit_log", origin or OURSELVES)


def _things(entry: AuditEntry) -> list[tuple[str, str]]:
    others = ((each["type"], each["id"]) for each in entry.resources or ())
    return [(entry.resource_type, entry.resource_id), *others]


def _details(entry: AuditEntry) -> list[tuple[str, dict[str, str]]]:
    shown = given(
        seq=str(entry.seq),
        hash=entry.hash,
        session_id=_text(entry.session_id),
        tenant_id=_text(entry.tenant_id),
        trace_id=_text(entry.trace_id),
        user_agent=_text(entry.user_agent),
    )
    line = base64.b64encode(entry.line).decode()
    texts = [(name, {"valueString": value}) for name, value in shown.items()]
    return [*texts, (_LINE, {"valueBase64Binary": line})]


def _reference(type: str, id: str) -> dict[str, Any]:
    """Return a reference by identifier: the record may be in no FHIR server."""
    identifier = given(type={"text": _text(type)}, value=_text(id))
    return {"identifier": identifier, "display": _text(f"{type}/{id}")}


def _coding(system: str, code: tuple[str, str]) -> dict[str, str]:
    return {"system": system, "code": code[0], "display": code[1]}


def _texts(text: str | None) -> list[dict[str, str]]:
    shown = _text(text)
    return [] if shown is None else [{"text": shown}]


def _text(text: str | None) -> str | None:
    """Return a text as FHIR allows it: not empty, without controls. These become escapes."""
    if not text:
        return None
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
