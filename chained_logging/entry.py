"""Entries and how they are made: see :mod:`chained_logging.event`."""

from chained_logging.event.clock import timestamp, uuid7
from chained_logging.event.draft import Draft, draft
from chained_logging.event.entry import AuditEntry, AuditId, InvalidEntry, parse_event
from chained_logging.event.fields import (
    ACTOR_TYPES,
    FIELD_OF,
    FIELDS,
    OURSELVES,
    RESULTS,
    UNKNOWN,
    set_apart,
)
from chained_logging.event.identifiers import MAX_IDENTIFIER

__all__ = [
    "ACTOR_TYPES",
    "FIELDS",
    "FIELD_OF",
    "MAX_IDENTIFIER",
    "OURSELVES",
    "RESULTS",
    "UNKNOWN",
    "AuditEntry",
    "AuditId",
    "Draft",
    "InvalidEntry",
    "draft",
    "parse_event",
    "set_apart",
    "timestamp",
    "uuid7",
]
