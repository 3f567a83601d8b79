"""Which handlers receive a tagged call, and what happens if none would.

:mod:`logging` checks levels, ``disabled`` and filters before it calls a handler. These do not
decide whether a call is audited, so ``get_logger`` and ``@audited`` call the audit handlers
themselves. If logging drops a call of a plain logger, no handler receives it. Only the loggers'
set-up shows that, and it is reported once.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import logging
import logging.handlers
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

from chained_logging.diagnostics import report_once, unheard
from chained_logging.integrations import log_records as records
from chained_logging.integrations.capture import recorded_as


class Listener(logging.Handler):
    """A handler that makes entries of tagged records."""

    shows_lines = False  # see diagnostics.report
    # Whether it made one of a record that a level above INFO would have kept from it.
    heard = False

    def has(self, record: logging.LogRecord) -> bool:
        """Whether its log has an entry of this record."""
        raise NotImplementedError


_listeners: WeakSet[Listener] = WeakSet()
_renew_last: Callable[[], Listener | None] | None = None


def register(listener: Listener, again: Callable[[], Listener | None]) -> None:
    """Remember a listener.

    :param again: returns one for the same log, if this one is gone, and the log is not closed.
    """
    global _renew_last
    _listeners.add(listener)
    _renew_last = again
    records.when_lost = lost


def listeners(logger: logging.Logger) -> list[Listener]:
    """Return those that a logger's records reach, or would if ``propagate`` did not keep them."""
    found: list[Listener] = []
    at: logging.Logger | None = logger
    while at is not None:
        found += [handler for handler in at.handlers if isinstance(handler, Listener)]
        if found and not at.propagate:
            break
        at = at.parent
    return found


def deliver(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Handle a tagged record as its logger would, and pass it to every listener."""
    passed = logger.isEnabledFor(record.levelno)
    found = listeners(logger)
    try:
        if passed:
            logger.handle(record)
    finally:  # a filter, or another handler, may raise
        for listener in found:
            if not listener.has(record):
                listener.handle(record)
    if found or recorded_as(record) is not None:  # perhaps by a formatter, with AuditProcessor
        return
    if not (passed and _forwards(logger)):
        _beyond(logger, record)


def _forwards(logger: logging.Logger) -> bool:
    """Whether a handler may bring a record to a listener later, or in another process."""
    at: logging.Logger | None = logger
    while at is not None:
        for handler in at.handlers:
            target = getattr(handler, "target", None)
            if isinstance(target, Listener) or isinstance(handler, _SENDERS):
                return True
        at = at.parent if at.propagate else None
    return False


_SENDERS = (logging.handlers.QueueHandler, logging.handlers.SocketHandler)


def _beyond(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Store what no handler received, in the log of the last handler."""
    at = logger.name
    listener = _renew_last() if _renew_last is not None else None
    if listener is None:
        text = f"no AuditHandler listens to the logger {at!r}: its tagged calls are not recorded"
        unheard(at, text)
        return
    listener.handle(record)
    text = f"no AuditHandler listens to the logger {at!r}: its tagged calls go to {listener!r}"
    report_once(f"beyond {at}", logging.WARNING, text)


# --- Plain loggers.


def check(listener: Listener) -> None:
    """Report what keeps tagged calls of plain loggers from a listener, if anything does."""
    for logger in _holders(listener):
        name = logger.name
        if not listener.heard and not _any_below(logger):
            text = (
                f"the logger {name!r} has an AuditHandler, and {_what_drops(logger)}: tagged calls "
                "of plain loggers below that are not recorded. Set its level to INFO, or use "
                "chained_logging.get_logger, which levels do not affect"
            )
            report_once(f"level {name}", logging.WARNING, text, anyway=True)
        elif logging.root.manager.disable >= logging.INFO:
            text = (
                f"{_what_drops(logger)}: tagged calls of plain loggers are not recorded. Use "
                "chained_logging.get_logger, which levels do not affect"
            )
            report_once("disable", logging.WARNING, text, anyway=True)
        else:
            _check_levels(logger)
        disabled = [below.name for below in _below(logger) if below.disabled and _own(below.name)]
        if disabled:
            text = (
                f"these loggers are disabled, so that their tagged calls are not recorded: "
                f"{', '.join(sorted(disabled)[:5])}. Set disable_existing_loggers to False"
            )
            report_once(f"disabled {name}", logging.WARNING, text)


_on_a_logger = False  # whether a logger ever had a listener; a queue's listener may be on none


def heard_by(listener: Listener, logger: logging.Logger) -> None:
    """Note that a logger's handler received a tagged call."""
    global _on_a_logger
    _on_a_logger = _on_a_logger or listener in listeners(logger)


def _check_replaced() -> None:
    """Report a configuration that removed our handler and disabled loggers."""
    if not _on_a_logger or any(_holders(listener) for listener in list(_listeners)):
        return
    disabled = [logger.name for logger in _loggers() if logger.disabled and _own(logger.name)]
    if disabled:
        text = (
            "a configuration of logging removed the AuditHandler and disabled loggers, so that "
            f"their tagged calls are not recorded: {', '.join(sorted(disabled)[:5])}. Configure "
            "the AuditHandler there too, and set disable_existing_loggers to False"
        )
        report_once("replaced", logging.WARNING, text)


def _check_levels(logger: logging.Logger) -> None:
    """Name the program's own loggers below this one whose level is above INFO."""
    below = [at for at in _below(logger) if at is not logger and at.level > logging.INFO]
    names = [at.name for at in below if _own(at.name) and not at.disabled]
    if names:
        text = (
            "the level of these loggers is above INFO, so that their tagged calls at INFO are not "
            f"recorded: {', '.join(sorted(names)[:5])}. Set it to INFO, or use "
            "chained_logging.get_logger, which levels do not affect"
        )
        report_once(f"levels {logger.name}", logging.WARNING, text)


def lost(record: logging.LogRecord, at_its_end: bool) -> None:
    """Report, once for each logger, that a tagged call of a plain logger reached no log.

    :param at_its_end: whether its call ends now. If not, any lock may be held, so the report waits
        for the next occasion.
    """
    if recorded_as(record) is not None:
        return
    if not at_its_end:
        _to_tell.append(record.name)
        return
    _tell_lost(record.name)
    _tell_all()


def _tell_all() -> None:
    while _to_tell:
        _tell_lost(_to_tell.popleft(), raised=True)


_to_tell: deque[str] = deque(maxlen=1000)


def _tell_lost(name: str, raised: bool = False) -> None:
    logger = logging.getLogger(name)
    if any(map(_travels, _handlers_of(logger))):
        return
    text = f"a tagged call of the logger {name!r} was not recorded: {_why_lost(logger, raised)}"
    unheard(f"lost {name}", text)


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Return every handler that a logger's records could reach, whatever ``propagate`` says."""
    at: logging.Logger | None = logger
    while at is not None:
        yield from at.handlers
        at = at.parent


def _travels(handler: logging.Handler) -> bool:
    """Whether a record that this handler got may be stored elsewhere, unseen by us.

    An unknown handler may send it anywhere. A ``QueueHandler`` copies it, which is noticed.
    """
    if isinstance(handler, logging.handlers.MemoryHandler):
        return handler.target is not None and _travels(handler.target)
    kind = type(handler)
    if isinstance(handler, logging.handlers.QueueHandler):
        return getattr(kind, "prepare", None) is not logging.handlers.QueueHandler.prepare
    if isinstance(handler, logging.handlers.SocketHandler | logging.handlers.HTTPHandler):
        return True
    authors = (getattr(method, "__module__", None) or "" for method in (kind.emit, kind.handle))
    return not {author.partition(".")[0] for author in authors} <= _KNOWN


_KNOWN = frozenset({"logging", "chained_logging", "_pytest", "django", "rich"})


def _why_lost(logger: logging.Logger, raised: bool) -> str:
    """Name the reason.

    :param raised: whether the call may have raised an error, since its record outlived it.
    """
    if not listeners(logger):
        return "no AuditHandler listens to it"
    at: logging.Logger | None = logger
    while at is not None and not any(isinstance(handler, Listener) for handler in at.handlers):
        if not at.propagate:
            return f"propagate of {at.name!r} is False, and the AuditHandler is above it"
        at = at.parent
    why = "a filter dropped it, or a handler before the AuditHandler raised an error"
    if raised:  # as logging does before any handler sees the record
        why += ", or the call did: a key of extra must not have a name that logging uses itself"
    return why


def _holders(listener: Listener) -> list[logging.Logger]:
    every = [logging.root, *_loggers()]
    return [logger for logger in every if listener in logger.handlers]


def _loggers() -> Iterator[logging.Logger]:
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def _below(logger: logging.Logger) -> Iterator[logging.Logger]:
    """Return loggers whose records go to this one's handlers."""
    for other in dict.fromkeys((logger, *_loggers())):
        at: logging.Logger | None = other
        while at is not None and at is not logger:
            at = at.parent if at.propagate else None
        if at is logger:
            yield other


def _any_below(logger: logging.Logger) -> bool:
    """Whether any of the program's own loggers lets INFO pass."""
    if logging.root.manager.disable >= logging.INFO:
        return False
    return any(
        other.getEffectiveLevel() <= logging.INFO
        for other in _below(logger)
        if other is logger or _own(other.name)
    )


def _what_drops(logger: logging.Logger) -> str:
    if logging.root.manager.disable >= logging.INFO:
        return f"logging.disable({logging.getLevelName(logging.root.manager.disable)}) holds"
    return f"the level {logging.getLevelName(logger.getEffectiveLevel())}"


def _own(name: str) -> bool:
    """Whether a logger is the program's, and not one of Python's or of an installed package's."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("py", __name__.partition(".")[0]):
        return False
    file: Any = getattr(sys.modules.get(top), "__file__", None)
    if top not in sys.modules:  # named in a configuration, but not imported
        with contextlib.suppress(ImportError, ValueError):
            file = getattr(importlib.util.find_spec(top), "origin", None)
    return not (isinstance(file, str) and "site-packages" in file)


def _check_all() -> None:
    _tell_all()
    for listener in list(_listeners):
        check(listener)
    _check_replaced()


atexit.register(_check_all)
