"""Capture from loguru: a sink that turns messages with ``audit=True`` into entries.

>>> from loguru import logger
>>> logger.add(AuditSink("audit.db"), level=0)
>>> logger.bind(audit=True, actor="user-123", ip="10.0.0.1").info("read", resource="p/1")
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from chained_logging.event.context import current
from chained_logging.event.entry import AuditId
from chained_logging.event.fields import set_apart
from chained_logging.event.values import jsonable
from chained_logging.integrations.capture import joined, lost, over, structured
from chained_logging.integrations.log_records import exception_of
from chained_logging.log import AuditLog, opened

_ERROR = 40  # loguru's level of that name


class AuditSink:
    """A sink for ``loguru.logger.add``: give it ``level=0``, because levels do not apply to audited
    calls.

    A message is tagged by ``logger.bind(audit=True, …)``, by ``contextualize`` or by a keyword of
    the call. All of loguru's ``extra`` is the event; the message is the action if that names none.
    Sinks that were added after this one show the entry's id as ``{extra[audit_id]}``.

    loguru catches what a sink raises. For a log with ``strict=True`` or ``on_failure="raise"`` add
    the sink with ``catch=False``, so that the caller sees it.

    :param log: an open :class:`AuditLog`, or a path; `options` are then those of
        :class:`AuditLog`, which is closed when the sink is removed.
    """

    def __init__(self, log: AuditLog | str | os.PathLike[str], **options: Any) -> None:
        self._ours = not isinstance(log, AuditLog)
        self.log = opened(log, **options)

    def write(self, message: Any) -> None:
        """Append an entry if the message is tagged. loguru calls this."""
        record = message.record
        extra = record["extra"]
        if not extra.get("audit"):
            return
        given = extra.get("audit_id")
        known = given if type(given) is AuditId else None
        if known is not None and self.log.path in known.logs:
            return
        made: AuditId | None = None
        try:
            found = structured(*_event(record))
            made = self.log.record(found.event, action=found.action, result=found.result)
        except Exception as error:
            lost(self.log, error)
        known = joined(known, made, given)
        if known is not None:
            extra["audit_id"] = known

    def stop(self) -> None:
        """Close the log, if it was opened here, until there is something to write again."""
        if self._ours:
            self.log.rest()


def keep_context(record: Any) -> None:
    """Keep what :func:`chained_logging.context` gives, for a sink with ``enqueue=True``.

    >>> logger.configure(patcher=keep_context)
    """
    given = current()
    if given and record["extra"].get("audit"):
        record["audit_context"] = jsonable(given)


def _event(record: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a record as an event, and whether it says that something failed."""
    given = record.get("audit_context")
    if given is None:  # a sink with enqueue=True runs in a thread of its own
        given = current() if record["thread"].id == threading.get_ident() else {}
    extra = {key: value for key, value in record["extra"].items() if type(value) is not AuditId}
    said = {"timestamp": record["time"], "event": record["message"]}
    event = over(given, said, set_apart(extra))
    failed = record["level"].no >= _ERROR
    if record["exception"] is not None:
        caught = exception_of(record["exception"].value)
        event["exception"] = caught or jsonable(record["exception"].value)
    return event, failed
