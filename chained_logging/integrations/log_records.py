"""What a log record carries for the audit entry, out of every formatter's sight.

A record may be handled long after it was made, and in another thread, behind a ``QueueHandler``
or a ``MemoryHandler``. The entry must have the context in which the call was logged, not the one in
which it is handled. So once a handler or logger of ours exists, records are made with a slot that
holds the context. A slot is not in ``__dict__``, so formatters that print all attributes skip it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final, NamedTuple
from weakref import ReferenceType, ref

from chained_logging.diagnostics import report_once
from chained_logging.event.context import current, was_used, when_used
from chained_logging.event.values import jsonable

_NOTHING: Final[Mapping[str, Any]] = {}


class Logged(NamedTuple):
    """What was known when a record was made."""

    context: Mapping[str, Any] = _NOTHING
    """What :func:`chained_logging.context` gave."""
    fields: Mapping[str, Any] | None = None
    """The caller's fields, if they are not on the record under their own names."""
    message: Mapping[str, Any] | None = None
    """The message, if it was an object: a queue makes text of it."""
    exception: dict[str, str] | None = None
    """Type and message of the exception, which a queue drops."""
    text: str | None = None
    """The message, if it was text: a queue's formatter adds to it, such as a traceback."""


_NO_CONTEXT: Final = Logged()


class AuditRecord(logging.LogRecord):
    """The class of all records, with slots."""

    __slots__ = ("logged", "settled")
    logged: Logged
    settled: bool
    """Whether a log was asked to store it, or it went somewhere that may still store it."""

    def __copy__(
        self,
    ) -> AuditRecord:  # by QueueHandler.prepare, before it drops what it cannot send
        made = AuditRecord.__new__(AuditRecord)
        made.__dict__.update(self.__dict__)
        made.logged = snapshot(self) if is_tagged(self) else Logged()
        made.settled = self.settled = True
        return made

    def __getstate__(self) -> tuple[dict[str, Any], Any]:
        self.settled = True
        logged = Logged(*(jsonable(part) for part in snapshot(self))) if is_tagged(self) else None
        return self.__dict__, logged and tuple(logged)

    def __setstate__(self, state: tuple[dict[str, Any], Any]) -> None:
        self.__dict__.update(state[0])
        self.logged = Logged(*state[1]) if state[1] else Logged()
        self.settled = True

    def __del__(self) -> None:
        if not self.__dict__.get("audit") or getattr(self, "settled", True):  # nearly all
            return
        if when_lost is not None and not sys.is_finalizing():
            when_lost(self, sys._getframe(1).f_globals.get("__name__") == "logging")


when_lost: Callable[[logging.LogRecord, bool], None] | None = None
"""Called for a tagged record that ends without an entry, with whether its call ends now.

If not, the garbage collector may have ended it, in the middle of anything.
"""


def settle(record: logging.LogRecord) -> logging.LogRecord:
    """Note that a log was asked to store a record, or that it is sent elsewhere.

    :returns: what :func:`original` does.
    """
    recent = _here.recent
    is_newest = recent and recent[-1]() is record  # nearly always, and not a copy
    first = record if is_newest else original(record)
    for each in (record, first):
        if isinstance(each, AuditRecord):
            each.settled = True
    return first


# Of records that a factory of the program's made, by the moment: a queue's copies have the same
# object there.
_others: dict[int, tuple[float, Logged]] = {}
_MOST: Final = 4096


def install() -> None:
    """Make all records from now on remember their context, even those of another factory."""
    factory = logging.getLogRecordFactory()
    if not isinstance(factory, _Factory):
        logging.setLogRecordFactory(_Factory(factory))
        when_used(install)  # the program may set another one


class _Factory:
    """A record factory that lets the records of another one remember their context."""

    def __init__(self, factory: Callable[..., logging.LogRecord]) -> None:
        self._make = AuditRecord if factory is logging.LogRecord else factory

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        if isinstance(record, AuditRecord) and hasattr(record, "logged"):
            return record  # the other one has called us
        if record.name is None:  # makeLogRecord, from what was sent here or from another record
            note(record, _NO_CONTEXT)
            settle(record)
            return record
        context = current()
        logged = Logged(context) if context else _NO_CONTEXT
        if isinstance(record, AuditRecord):
            record.logged, record.settled = logged, False  # as note does, without the call
        else:
            note(record, logged)
        _here.recent.append(ref(record))
        return record


class _Here(threading.local):
    def __init__(self) -> None:
        self.recent: deque[ReferenceType[logging.LogRecord]] = deque(maxlen=4)


_here = _Here()


def original(record: logging.LogRecord) -> logging.LogRecord:
    """Return the record that this is a copy of, if it is one that this thread has just made.

    structlog's ``ProcessorFormatter`` works on copies that share only the attributes. One of these,
    the time, is an object that no other record has.
    """
    for reference in reversed(_here.recent):
        made = reference()
        if made is not None and made.created is record.created:
            return made
    return record


def note(record: logging.LogRecord, logged: Logged) -> None:
    """Attach this to a record."""
    if isinstance(record, AuditRecord):
        record.logged = logged
    elif logged is not _NO_CONTEXT:
        _others[id(record.created)] = record.created, logged
        while len(_others) > _MOST:
            _others.pop(next(iter(_others)), None)


def noted(record: logging.LogRecord) -> Logged:
    """Return what a record carries."""
    if isinstance(record, AuditRecord):
        return getattr(record, "logged", _NO_CONTEXT)
    moment, logged = _others.get(id(record.created), (None, _NO_CONTEXT))
    if moment is record.created:
        return logged
    if _is_at_its_logger(record):
        return Logged(current())
    _take_back_the_factory(record)
    return _NO_CONTEXT


def _take_back_the_factory(record: logging.LogRecord) -> None:
    """Ensure that no further call loses its context, if a factory came after ours."""
    factory = logging.getLogRecordFactory()
    if isinstance(factory, _Factory) or record.process != os.getpid():
        return
    install()
    if was_used():
        name = getattr(factory, "__qualname__", repr(factory))
        text = (
            f"the record factory {name} replaced ours, so that a queued call of the "
            f"logger {record.name!r} was recorded without its context; later calls keep theirs. "
            "Set the factory before AuditHandler is made, or let it call the one before it"
        )
        report_once("factory", logging.WARNING, text)


def _is_at_its_logger(record: logging.LogRecord) -> bool:
    """Whether a record is being handled by the call that made it, not after a queue or a buffer."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is logging.Logger.callHandlers.__code__:
            return frame.f_locals["record"].created is record.created
        frame = frame.f_back
    return False


def snapshot(record: logging.LogRecord) -> Logged:
    """Return what a record carries, as it is now, for a handler that comes later."""
    logged = noted(record)
    message, text = logged.message, logged.text
    if isinstance(record.msg, Mapping):
        message = message or dict(record.msg)
    elif message is None and text is None:
        text = message_text(record)
    return logged._replace(
        context=dict(logged.context),
        message=message,
        exception=logged.exception or exception_of(record.exc_info),
        text=text,
    )


def message_text(record: logging.LogRecord) -> str:
    """Return a record's message, even if its arguments do not fit."""
    if type(record.msg) is str and not record.args:
        return record.msg
    try:
        return record.getMessage()
    except Exception:  # logging says so on its own account
        text = jsonable(record.msg)
        return text if isinstance(text, str) else str(text)


def is_tagged(record: logging.LogRecord) -> bool:
    """Whether a record is to become an entry."""
    fields = record.__dict__
    if fields.get("audit"):
        return True
    if "extra" in fields and _has_tag(fields["extra"]):  # by loguru, with the handler as a sink
        return True
    # From structlog, by ProcessorFormatter.wrap_for_formatter, or as python-json-logger takes it.
    message = record.msg
    if type(message) is str:
        message = noted(record).message
    return message is not None and _has_tag(message)


def _has_tag(fields: Any) -> bool:
    return isinstance(fields, dict) and bool(fields.get("audit"))


def exception_of(exc_info: Any) -> dict[str, str] | None:
    """Return type and message of an exception, from whatever form ``exc_info`` has."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1] if len(exc_info) == 3 else None
    if not isinstance(exc_info, BaseException):
        return None
    described: dict[str, str] = jsonable(exc_info)
    return described
