"""The log: entries in a chain, appended by many processes and signed by one key."""

from chained_logging.log.audit_log import AuditLog, AuditWarning
from chained_logging.log.given import opened

__all__ = ["AuditLog", "AuditWarning", "opened"]
