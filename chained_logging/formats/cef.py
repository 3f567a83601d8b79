"""CEF, the ArcSight Common Event Format, version 0: a line for each entry.

Its fields have bounds, and what is longer is cut, with an ellipsis at the end. So a receiver cannot
compute the hash again; it has it in ``cs2``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.canonical import canonical
from chained_logging.formats.meaning import address, given, milliseconds, read, sentence

_SEVERITY: Final = {"success": 1, "failure": 4, "denied": 6}
_LIMITS: Final = {
    "act": 63,
    "cs1": 4000,
    "cs3": 4000,
    "cs4": 4000,
    "cs5": 4000,
    "cs6": 4000,
    "deviceExternalId": 255,
    "duid": 1023,
    "msg": 1023,
    "outcome": 63,
    "reason": 1023,
    "requestClientApplication": 1023,
    "spriv": 1023,
    "suid": 1023,
}
"""The most characters that the specification allows in a field."""

_LINE_ENDS: Final = re.compile("[\n\v\f\x1c\x1d\x1e\x85\u2028\u2029]")


def encode(entry: AuditEntry, origin: str) -> bytes:
    """Return an entry as a line of CEF.

    :param origin: the log's name.
    :raises ValueError: if the entry cannot be converted.
    """
    action = _header(_cut(entry.action, 512))
    severity = _SEVERITY.get(entry.result, 3)
    head = f"CEF:0|{OURSELVES}|{OURSELVES}|{entry.v}|{action}|{action}|{severity}|"
    pairs = (f"{name}={_value(_fit(name, value))}" for name, value in _fields(entry, origin))
    return f"{head}{' '.join(pairs)}\n".encode()


def _fields(entry: AuditEntry, origin: str) -> list[tuple[str, str]]:
    context = canonical(entry.context).decode() if entry.context else None
    found = given(
        rt=milliseconds(read(entry).occurred),
        externalId=entry.id,
        deviceExternalId=origin or None,
        act=entry.action,
        outcome=entry.result,
        suid=entry.actor_id,
        spriv=entry.actor_type,
        duid=entry.on_behalf_of,
        requestClientApplication=entry.user_agent,
        reason=entry.reason,
        msg=sentence(entry),
        **_source(entry),
        **_custom("cn1", "seq", entry.seq),
        **_custom("cs1", "resource", f"{entry.resource_type}/{entry.resource_id}"),
        **_custom("cs2", "hash", entry.hash),
        **_custom("cs3", "session", entry.session_id),
        **_custom("cs4", "tenant", entry.tenant_id),
        **_custom("cs5", "trace", entry.trace_id),
        **_custom("cs6", "context", context),
    )
    return [(name, str(value)) for name, value in found.items()]


def _source(entry: AuditEntry) -> dict[str, Any]:
    """Return the address. ``src`` takes IPv4 alone."""
    ip = address(entry)
    if ip is None or ":" not in ip:
        return {"src": ip}
    return {"c6a2Label": "Source IPv6 Address", "c6a2": ip}


def _custom(name: str, label: str, value: object) -> dict[str, Any]:
    return {} if value is None else {f"{name}Label": label, name: value}


def _fit(name: str, text: str) -> str:
    return _cut(text, _LIMITS[name]) if name in _LIMITS else text


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _header(text: str) -> str:
    """Return text for the header, which has no form for the end of a line."""
    text = _LINE_ENDS.sub(" ", text).replace("\r", " ")
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("=", "\\=")
    return _LINE_ENDS.sub(r"\\n", text).replace("\r", "\\r")
