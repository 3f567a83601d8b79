"""Capture from the standard library's :mod:`logging`."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from chained_logging.diagnostics import LOGGER
from chained_logging.errors import FAILURES
from chained_logging.event.context import current
from chained_logging.integrations.capture import OWN, capture_record, event_of, is_recorded
from chained_logging.integrations.listening import Listener, check, deliver, heard_by, register
from chained_logging.integrations.log_records import (
    Logged,
    exception_of,
    install,
    is_tagged,
    note,
    settle,
    snapshot,
)
from chained_logging.log import AuditLog, opened

__all__ = [
    "AuditContextFilter",
    "AuditHandler",
    "AuditLogger",
    "event_of",
    "exception_of",
    "get_logger",
]


class AuditHandler(Listener):
    """A handler that turns records with ``extra={"audit": True, …}`` into entries.

    It ignores other records. If it is the first handler of a logger, the others can show the
    entry's id as ``%(audit_id)s``.

    Its level is ignored: what is tagged is recorded if the logger lets it pass. Use a filter to
    keep something out. What is logged after the handler was closed is still written, as with a
    ``FileHandler``.

    :param path: the log; all other keywords are those of :class:`AuditLog`.
    :param log: or an open log, which the handler then does not close.
    :param level: accepted, so that any configuration works, and ignored.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        log: AuditLog | None = None,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        given = path if log is None else log
        if given is None or (path is not None and log is not None):
            raise TypeError("AuditHandler needs either a path or log=, not both")
        self._ours = log is None
        # Before logging knows the handler, so that a failure here leaves nothing registered.
        self.log = opened(given, **options)
        self._checked = False
        super().__init__()
        self.setLevel(level)
        install()
        register(self, _again(self, options))

    def setLevel(self, level: int | str) -> None:
        """Check a level, and ignore it."""
        super().setLevel(level)
        self.level = logging.NOTSET

    def handle(self, record: logging.LogRecord) -> Any:  # True, or from Python 3.12 on a record
        """As any handler, but without its lock: the log has locks of its own."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Append an entry for a record that is tagged, and put its id on the record."""
        if record.__dict__.get("audit") or is_tagged(record):  # nearly always the first
            capture_record(self.log, record)
            if not self.heard:  # by get_logger it may have come past its logger's level
                logger = logging.getLogger(record.name)
                self.heard = logger.isEnabledFor(logging.INFO)
                heard_by(self, logger)
        elif not self._checked and record.levelno >= logging.WARNING and record.name != LOGGER:
            self._checked = True
            check(self)

    def has(self, record: logging.LogRecord) -> bool:
        """Whether the log has an entry of this record."""
        return is_recorded(self.log, record)

    def close(self) -> None:
        """Close the log, if it was opened here, until there is something to write again."""
        if self._ours:
            self.log.rest()
        super().close()

    def __repr__(self) -> str:
        return f"<AuditHandler {str(self.log.path)!r}>"


def _again(handler: AuditHandler, options: dict[str, Any]) -> Callable[[], Listener | None]:
    """Return a function that makes a handler for the same log if this one is gone."""
    path, ours = handler.log.path, handler._ours
    found, log = weakref.ref(handler), weakref.ref(handler.log)

    def again() -> AuditHandler | None:
        known, opened = found(), log()
        if known is not None:
            return known
        if opened is not None:
            return AuditHandler(log=opened)
        # A configuration that was replaced has dropped it, and the log with it.
        return _reopened(path, options) if ours and path.exists() else None

    return again


def _reopened(path: os.PathLike[str], options: dict[str, Any]) -> AuditHandler | None:
    try:
        _kept.append(AuditHandler(path, **options))
    except (*FAILURES, ValueError):
        return None
    return _kept[-1]


_kept: list[AuditHandler] = []  # by nobody else


class AuditContextFilter(logging.Filter):
    """Attaches to each tagged record what is known now: the context and the exception.

    The standard library's ``QueueHandler`` does this by itself. Add this filter to one with its own
    ``prepare``, or to a ``MemoryHandler`` if the objects in the context may change.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        install()

    def filter(self, record: logging.LogRecord) -> bool:
        """Note it, and let the record pass."""
        if is_tagged(record):
            note(record, snapshot(record))
        return True


# --- Calls with keywords.


class AuditLogger(logging.LoggerAdapter[logging.Logger]):
    """A standard logger whose calls take fields as keywords.

    ``logger.info("read", audit=True, resource="patient_record/456")`` is what
    ``extra={"audit": True, "resource": …}`` is on a plain logger, and is recorded whatever the
    level. File and line of the record are the caller's.
    """

    def log(self, level: int, msg: object, /, *args: object, **kwargs: Any) -> None:  # type: ignore[override]  # a field may be called level
        """Log, and record what is tagged."""
        passed = {key: kwargs.pop(key) for key in list(kwargs) if key not in _LOGGING_KEYWORDS}
        fields = {**(self.extra or {}), **(kwargs.get("extra") or {}), **passed}
        # A record's own attributes cannot be set by extra; the audit entry still gets them.
        kwargs["extra"] = {key: value for key, value in fields.items() if key not in _RESERVED}
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        if fields.get("audit"):
            record = _make_record(self.logger, level, msg, args, **kwargs)
            note(record, Logged(dict(current()), fields))
            settle(record)  # by deliver
            deliver(self.logger, record)
        elif self.logger.isEnabledFor(level):
            self.logger.handle(_make_record(self.logger, level, msg, args, **kwargs))

    def bind(self, **fields: Any) -> AuditLogger:
        """Return a logger that passes these fields with each call."""
        return AuditLogger(self.logger, {**(self.extra or {}), **fields})


_LOGGING_KEYWORDS: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})
_RESERVED: Final = OWN | {"audit_id"}


def _make_record(
    logger: logging.Logger,
    level: int,
    msg: object,
    args: tuple[object, ...],
    *,
    extra: Mapping[str, Any],
    stacklevel: int,
    exc_info: Any = None,
    stack_info: bool = False,
) -> logging.LogRecord:
    """Return a record as ``Logger._log`` makes it."""
    # The class that structlog gives to loggers counts frames in its own way.
    file, line, function, stack = logging.Logger.findCaller(logger, stack_info, stacklevel + 1)
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif exc_info and not isinstance(exc_info, tuple):
        exc_info = sys.exc_info()
    return logger.makeRecord(
        logger.name, level, file, line, msg, args, exc_info, function, extra, stack
    )


def get_logger(name: str | None = None, **fields: Any) -> AuditLogger:
    """Return the standard logger of that name, with calls that take fields as keywords.

    :param fields: passed with each call.
    """
    install()
    return AuditLogger(logging.getLogger(name), dict(fields))
