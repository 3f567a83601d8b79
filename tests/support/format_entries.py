"""Entries of all kinds, to be written in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from folders import VECTORS

from chained_logging import AuditEntry, AuditLog

ORIGIN = "example.com/audit/web"
HOSTILE = '<script>=1|2\\ "x"\n\r\t\x1b[31m\x7f\u2028\u202e =HYPERLINK("x") a=b é€😀'

EVENTS: dict[str, dict[str, Any]] = {
    "read": {"action": "read", "resource": "patient_record/456", "reason": "treatment"},
    "denied": {"action": "read", "resource": "patient_record/456", "result": "denied"},
    "failed": {"action": "write", "resource": "invoice/7", "result": "failure"},
    "login": {"action": "login", "resource": "session/s-1", "session_id": "s-1"},
    "logout": {"action": "logout", "resource": "session/s-1"},
    "failed login": {"action": "sign-in", "resource": "session/s-1", "result": "failure"},
    "user": {"action": "create", "resource": "user/bob", "changed_fields": ["email"]},
    "group": {"action": "update", "resource": ("auth.Group", "7"), "old_values": {"name": "x"}},
    "role": {"action": "grant", "resource": "role/auditor"},
    "table": {"action": "DeleteTable", "resource": "table/patients"},
    "bucket": {"action": "GetObject", "resource": "bucket/images"},
    "database": {"action": "export", "resource": "database/main"},
    "export": {"action": "export", "resource": "report/9", "user_agent": "curl/8"},
    "many": {
        **{"action": "list", "resource": "patient/1", "tenant_id": "acme"},
        **{"resources": [("patient", "2"), ("patient", "3")], "trace_id": "ab" * 16},
    },
    "for": {"action": "delete", "resource": "note/1", "on_behalf_of": "carol"},
    "other": {"action": "approve", "resource": "invoice/7", "duration_ms": 1.5},
    "service": {"action": "sync", "resource": "job/1", "actor_type": "service", "ip": None},
    "ipv6": {"action": "read", "resource": "invoice/7", "ip": "2001:db8::1"},
    "admin": {"action": "update", "resource": "setting/1", "actor_type": "admin"},
    "log": {"action": "audit_log.read", "resource": ("audit_log", ORIGIN)},
    "hostile": {
        **{"action": HOSTILE, "resource": (HOSTILE, HOSTILE), "actor": HOSTILE},
        **{"user_agent": HOSTILE, "reason": HOSTILE, "session_id": HOSTILE},
        **{"on_behalf_of": HOSTILE, "tenant_id": HOSTILE, "note": HOSTILE},
    },
    "long": {"action": "a" * 1024, "resource": ("b" * 1024, "c" * 1024), "note": "n" * 60_000},
    "empty": {"action": "read", "resource": "invoice/7", "reason": "", "user_agent": ""},
    "incomplete": {"resource": "invoice/7", "ip": "not one", "result": "fine"},
}


def written(path: Path) -> list[AuditEntry]:
    """Write a log of all kinds, and return its entries."""
    with AuditLog(path, origin=ORIGIN) as log:
        log.append_many([{"actor": "ann", "ip": "10.0.0.1", **event} for event in EVENTS.values()])
        return [AuditEntry(*record[1:]) for record in log.records()]


def named(path: Path) -> dict[str, AuditEntry]:
    """As :func:`written`, by what an entry is an example of."""
    return dict(zip(["genesis", *EVENTS], written(path), strict=True))


def vectors() -> list[AuditEntry]:
    """Return the entries of the test vectors."""
    lines = (VECTORS / "entries.jsonl").read_bytes().splitlines()
    return [AuditEntry.from_line(line) for line in lines]
