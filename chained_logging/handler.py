"""Capture from the standard library's :mod:`logging`."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from chained_logging.context import current
from chained_logging.entry import AuditId
from chained_logging.log import AuditLog
from chained_logging.values import jsonable

# What every LogRecord has by itself; the rest came by ``extra``.
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "audit",
    "audit_id",
    "audit_context",
    "audit_exception",
    "audit_fields",
}


class AuditHandler(logging.Handler):
    """A handler that turns records with ``extra={"audit": True, …}`` into entries.

    Other records pass it by. Put before the other handlers of a logger, it lets
    them show the entry's id as ``%(audit_id)s``.

    :param path: the log; all other keywords are those of :class:`AuditLog`.
    :param log: or an open log, which the handler then does not close.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        log: AuditLog | None = None,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        super().__init__(level)
        if (path is None) == (log is None):
            raise TypeError("AuditHandler takes either a path or log=")
        if log is not None and options:
            raise TypeError(f"an open log has its options already: {', '.join(options)}")
        self._ours = log is None
        self.log = log or AuditLog(path or "", **options)

    def emit(self, record: logging.LogRecord) -> None:
        """Append an entry for a record that is tagged, and put its id on the record."""
        fields = record.__dict__
        if isinstance(record.msg, dict) and record.msg.get("audit"):
            fields = record.msg  # from structlog, by ProcessorFormatter.wrap_for_formatter
        if not fields.get("audit") or type(fields.get("audit_id")) is AuditId:
            return
        try:
            record.audit_id = record_event(self.log, record)
        except OSError:
            if self.log.on_failure == "raise":
                raise
            self.handleError(record)

    def close(self) -> None:
        """Close the log, if it was opened here."""
        if self._ours:
            self.log.close()
        super().close()


def record_event(log: AuditLog, record: logging.LogRecord) -> AuditId:
    """Append an entry for a record, tagged or not, and return its id."""
    event: dict[str, Any] = {**current(), **getattr(record, "audit_context", {})}
    message: str | None = None
    if isinstance(record.msg, dict):
        name = record.msg.get("event")
        event.update((k, v) for k, v in record.msg.items() if not str(k).startswith("_"))
    else:
        message = record.getMessage()
        # A QueueHandler puts the traceback into the message: what was logged is its first line.
        name = message.partition("\n")[0]
        extra = record.__dict__.get("audit_fields") or {
            key: value for key, value in record.__dict__.items() if key not in _OWN
        }
        event.update(extra)
    if message is not None and ("action" in event or "\n" in message):
        event.setdefault("message", message)
    failed = record.levelno >= logging.ERROR
    caught = getattr(record, "audit_exception", None) or exception_of(record.exc_info)
    if caught is not None:
        event["exception"] = caught
        failed = True
    return log.record(event, action=name, result="failure" if failed else "success")


def exception_of(exc_info: Any) -> dict[str, str] | None:
    """Return type and message of an exception, from whatever form ``exc_info`` has."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if not isinstance(exc_info, BaseException):
        return None
    described: dict[str, str] = jsonable(exc_info)
    return described


class AuditContextFilter(logging.Filter):
    """Keeps, on each tagged record, what a queue would lose: the context and the exception.

    Put it on a ``QueueHandler`` whose listener has the :class:`AuditHandler`. A
    listener runs in a thread of its own, where the caller's context does not
    reach, and ``QueueHandler.prepare`` drops ``exc_info``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add to the record, and let it pass."""
        if record.__dict__.get("audit"):
            record.audit_context = jsonable(current())
            record.audit_exception = exception_of(record.exc_info)
        return True


class AuditLogger(logging.LoggerAdapter[logging.Logger]):
    """A standard logger whose calls take fields as keywords.

    ``logger.info("read", audit=True, resource="patient_record/456")`` is what
    ``extra={"audit": True, "resource": …}`` is on a plain logger. File and line
    of the record are the caller's.
    """

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Move the fields into ``extra``."""
        passed = {key: kwargs.pop(key) for key in list(kwargs) if key not in _LOGGING_KEYWORDS}
        fields = {**(self.extra or {}), **(kwargs.get("extra") or {}), **passed}
        # A record's own attributes cannot be set by extra; the audit entry gets all the same.
        extra = {key: value for key, value in fields.items() if key not in _RESERVED}
        if fields.get("audit"):
            extra["audit_fields"] = {key: v for key, v in fields.items() if key != "audit"}
            extra["audit_context"] = dict(current())
        kwargs["extra"] = extra
        return msg, kwargs

    def bind(self, **fields: Any) -> AuditLogger:
        """Return a logger that passes these fields with each call."""
        return AuditLogger(self.logger, {**(self.extra or {}), **fields})


_LOGGING_KEYWORDS = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})
_RESERVED = _OWN - {"audit"}


def get_logger(name: str | None = None, **fields: Any) -> AuditLogger:
    """Return the standard logger of that name, with calls that take fields as keywords.

    :param fields: passed with each call.
    """
    bound: Mapping[str, object] = fields
    return AuditLogger(logging.getLogger(name), copy.copy(bound))
