"""The log that a capture was given: open already, or as a path."""

from __future__ import annotations

import os
from typing import Any

from chained_logging.log.audit_log import AuditLog


def opened(log: AuditLog | str | os.PathLike[str], **options: Any) -> AuditLog:
    """Return an open log as it is, and open a path.

    :param options: those of :class:`AuditLog`, for a path alone.
    :raises TypeError: if options are given for a log that is open already.
    :raises OSError: as :class:`AuditLog`; also LogError.
    """
    if not isinstance(log, AuditLog):
        return AuditLog(log, **options)
    if options:
        raise TypeError(f"an open log has its options already: {', '.join(options)}")
    return log
