"""Audit-tagged log calls become a hash chain that anyone can check.

The names here are the public ones; everything else is imported from its module.
"""

from chained_logging.audited import audited
from chained_logging.context import carried, context
from chained_logging.diff import diff
from chained_logging.entry import AuditEntry, InvalidEntry
from chained_logging.handler import AuditHandler, get_logger
from chained_logging.log import AuditLog
from chained_logging.processor import AuditProcessor
from chained_logging.verify import verify

__all__ = [
    "AuditEntry",
    "AuditHandler",
    "AuditLog",
    "AuditProcessor",
    "InvalidEntry",
    "audited",
    "carried",
    "context",
    "diff",
    "get_logger",
    "verify",
]
