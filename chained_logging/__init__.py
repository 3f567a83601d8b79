"""Audit-tagged log calls become a hash chain that anyone can check.

The names here are the public ones; everything else is imported from its module.
"""

from chained_logging.errors import ChainedLoggingError, LogClosed, LogError
from chained_logging.event.context import carried, context
from chained_logging.event.diff import diff
from chained_logging.event.entry import AuditEntry, InvalidEntry
from chained_logging.integrations.decorator import audited
from chained_logging.integrations.stdlib import AuditHandler, get_logger
from chained_logging.integrations.structlog import AuditProcessor
from chained_logging.log import AuditLog
from chained_logging.verify import verify

__all__ = [
    "AuditEntry",
    "AuditHandler",
    "AuditLog",
    "AuditProcessor",
    "ChainedLoggingError",
    "InvalidEntry",
    "LogClosed",
    "LogError",
    "audited",
    "carried",
    "context",
    "diff",
    "get_logger",
    "verify",
]
