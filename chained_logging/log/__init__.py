"""The log: entries in a chain, appended by many processes and signed by one key."""

from chained_logging.log.audit_log import AuditLog, AuditWarning, LogClosed

__all__ = ["AuditLog", "AuditWarning", "LogClosed"]
