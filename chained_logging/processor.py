"""Capture from structlog."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import MutableMapping
from contextvars import copy_context
from typing import Any

from chained_logging.context import current
from chained_logging.entry import AuditId
from chained_logging.handler import exception_of, record_event
from chained_logging.log import AuditLog, AuditWarning

_FAILURES = frozenset({"error", "exception", "critical", "fatal"})


class AuditProcessor:
    """A structlog processor that turns events with ``audit=True`` into entries.

    It may stand anywhere in the chain, in structlog's own or in that of a
    ``ProcessorFormatter``, also for records of the standard library. The event
    goes on unchanged, but for ``audit_id``, the entry's id. Other events pass.

    :param log: an open :class:`AuditLog`, or a path; `options` are then those of
        :class:`AuditLog`.
    """

    def __init__(self, log: AuditLog | str | os.PathLike[str], **options: Any) -> None:
        if isinstance(log, AuditLog) and options:
            raise TypeError(f"an open log has its options already: {', '.join(options)}")
        self.log = log if isinstance(log, AuditLog) else AuditLog(log, **options)

    def __call__(
        self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Append an entry if the event is tagged."""
        if "audit" not in event_dict and "_record" not in event_dict:
            return event_dict
        try:
            return self._capture(method_name, event_dict)
        except OSError as error:
            if self.log.on_failure == "raise":
                raise
            warnings.warn(f"audit log: {error}", AuditWarning, stacklevel=2)
            return event_dict

    def _capture(
        self, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        record = event_dict.get("_record")  # inside a ProcessorFormatter
        if record is None:
            if event_dict.get("audit") and type(event_dict.get("audit_id")) is not AuditId:
                event_dict["audit_id"] = self._record(method_name, event_dict)
            return event_dict
        tagged = event_dict.get("audit") or (
            isinstance(record, logging.LogRecord) and record.__dict__.get("audit")
        )
        if not tagged or type(event_dict.get("audit_id")) is AuditId:
            return event_dict
        if isinstance(record, logging.LogRecord):
            # Several handlers may format one record.
            if type(record.__dict__.get("audit_id")) is not AuditId:
                if event_dict.get("_from_structlog"):
                    record.audit_id = self._record(method_name, event_dict)
                else:
                    record.audit_id = record_event(self.log, record)
            event_dict["audit_id"] = record.__dict__["audit_id"]
        else:
            event_dict["audit_id"] = self._record(method_name, event_dict)
        return event_dict

    def _record(self, method_name: str, event_dict: MutableMapping[str, Any]) -> AuditId:
        event = event_dict
        bound = _bound()
        if bound and not bound.keys() <= event.keys():  # else merge_contextvars was here before
            event = {**bound, **event}
        failed = method_name in _FAILURES
        info = event.get("exc_info")
        if info or "exception" in event:
            failed = True
            # True means the one being handled; so it is if format_exc_info was here already.
            caught = exception_of(info) or exception_of(sys.exc_info())
            if caught is not None:
                event = {**event, "exception": caught}
        return self.log.record(
            event, action=event.get("event"), result="failure" if failed else "success"
        )


def _bound() -> dict[str, Any]:
    """Return what structlog's context variables and our own give; ours win."""
    bound: dict[str, Any] = {}
    if len(copy_context()):  # 30 ns, and the usual case outside of requests
        contextvars = sys.modules.get("structlog.contextvars")
        if contextvars is not None:
            bound = contextvars.get_contextvars()
        bound.update(current())
    return bound
