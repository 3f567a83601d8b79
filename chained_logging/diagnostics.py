"""What the library has to say to the program: through logging, where a person looks.

Everything goes to the logger ``chained_logging``, and what went wrong with a call also through
:mod:`warnings`. Neither ever raises into the caller, not even under ``python -W error``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from typing import Final

LOGGER: Final = "chained_logging"
_MAX_TOLD: Final = 1000


class AuditWarning(UserWarning):
    """An audit event could not be written yet. It is kept, and chained once that works again."""


class _Here(threading.local):
    reporting = False


_here = _Here()
_told: set[str] = set()
_unheard = 0


def report(level: int, text: str, *, anyway: bool = False) -> None:
    """Log a sentence of the library's own. Must not be called with a log's lock held.

    :param anyway: whether ``logging.disable``, which the sentence is about, does not keep it back.
    """
    if _here.reporting:  # a handler that audits what it handles
        return
    _here.reporting = True
    try:
        logger = logging.getLogger(LOGGER)
        logger.disabled = False  # a configuration disables loggers that it does not name
        record = logger.makeRecord(LOGGER, level, __file__, 0, "%s", (text,), None)
        if not (logger.isEnabledFor(level) or (anyway and logger.manager.disable >= level)):
            return
        logger.handle(record)
        last = logging.lastResort
        if last is not None and level >= last.level and not _is_shown(logger):
            last.handle(record)
    except Exception:  # a handler of the program's; the caller has no part in this
        return
    finally:
        _here.reporting = False


def _is_shown(logger: logging.Logger) -> bool:
    """Whether a handler prints it; without any handler, logging itself does."""
    at: logging.Logger | None = logger
    handlers: list[logging.Handler] = []
    while at is not None:
        handlers += at.handlers
        at = at.parent if at.propagate else None
    return not handlers or any(getattr(handler, "shows_lines", True) for handler in handlers)


def report_once(key: str, level: int, text: str, *, anyway: bool = False) -> None:
    """As :func:`report`, the first time only for this key."""
    if _here.reporting or key in _told or len(_told) > _MAX_TOLD:
        return
    _told.add(key)
    report(level, text, anyway=anyway)


def warn(text: str, stacklevel: int) -> None:
    """Give a warning that breaks nobody, whatever the filters make of warnings."""
    with contextlib.suppress(Warning):
        warnings.warn(text, AuditWarning, stacklevel=stacklevel + 1)


def unheard(key: str, text: str) -> None:
    """Count a tagged call that no log recorded, and say so once for each key."""
    global _unheard
    _unheard += 1
    report_once(key, logging.ERROR, text)


def count_unheard() -> int:
    """Return how many tagged calls of this process no log recorded, as far as we saw them."""
    return _unheard
