"""The log: entries in a chain, appended by many processes and signed by one key."""

from chained_logging.log.audit_log import AuditLog, AuditWarning

__all__ = ["AuditLog", "AuditWarning"]
