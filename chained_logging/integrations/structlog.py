"""Capture from structlog."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import copy_context
from typing import Any, Final
from weakref import WeakSet

from chained_logging.diagnostics import report_once, unheard
from chained_logging.event.context import current
from chained_logging.event.entry import AuditId
from chained_logging.integrations.capture import (
    FAILURES,
    capture_record,
    joined,
    lost,
    mark,
    over,
    recorded_as,
    structured,
)
from chained_logging.integrations.log_records import install, is_tagged
from chained_logging.log import AuditLog, opened

_FORMATTER: Final = "structlog.stdlib"


class AuditProcessor:
    """A structlog processor that turns events with ``audit=True`` into entries.

    It may be anywhere before the renderer, in structlog's own chain or in that of a
    ``ProcessorFormatter``, also for records of the standard library. The event goes on unchanged,
    except for ``audit_id``, the entry's id. Other events are not touched.

    :param log: an open :class:`AuditLog`, or a path; `options` are then those of
        :class:`AuditLog`.
    """

    def __init__(self, log: AuditLog | str | os.PathLike[str], **options: Any) -> None:
        self.log = opened(log, **options)
        self._known_chain = False
        self._renamed: str | None = None  # where an EventRenamer before this puts the text
        install()
        _processors.add(self)

    def __call__(
        self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Append an entry if the event is tagged."""
        if type(event_dict) is not dict and not isinstance(event_dict, MutableMapping):
            unheard("after the renderer", "AuditProcessor must come before the renderer")
            return event_dict
        record = event_dict.get("_record")  # inside a ProcessorFormatter
        if record is None:
            frame = sys._getframe(1)
            if frame.f_code.co_name == "format" and frame.f_globals.get("__name__") == _FORMATTER:
                record = frame.f_locals.get("record")  # remove_processors_meta was here before
            elif "audit" not in event_dict:
                return event_dict
        known: AuditId | None
        if record is not None and _is_foreign(record):
            if not (event_dict.get("audit") or is_tagged(record)):
                return event_dict
            known = capture_record(self.log, record)
        elif event_dict.get("audit"):
            known = self._capture(method_name, event_dict, record)
        else:
            return event_dict
        if known is not None:
            event_dict["audit_id"] = known
        return event_dict

    def _capture(
        self, method_name: str, event_dict: MutableMapping[str, Any], record: Any
    ) -> AuditId | None:
        given = event_dict.get("audit_id")
        if given is None and record is None:  # nearly always
            return self._append(method_name, event_dict)
        known = given if type(given) is AuditId else None
        if known is None and isinstance(record, logging.LogRecord):
            known = recorded_as(record)  # several formatters may have the event
        if known is None or self.log.path not in known.logs:
            known = joined(known, self._append(method_name, event_dict), given)
            if known is not None and isinstance(record, logging.LogRecord):
                mark(record, known)
        return known

    def _append(self, method_name: str, event: Mapping[str, Any]) -> AuditId | None:
        """Append an entry for an event, and return its id; None if the event is lost."""
        if len(copy_context()):  # 30 ns, and outside of requests there is nothing
            event = _in_context(event)
        if not self._known_chain or "event" not in event:
            self._know_chain()
        try:
            found, action, result = structured(event, method_name in FAILURES, self._renamed)
            return self.log.record(found, action=action, result=result)
        except Exception as error:
            lost(self.log, error)
            return None

    def _know_chain(self) -> None:
        """Look for processors before this one in structlog's chain that drop events, and report."""
        self._known_chain = True
        structlog = sys.modules.get("structlog")
        if structlog is not None:
            config = structlog.get_config()
            self._renamed = self._find_renamer(config["processors"])
            if self in config["processors"]:
                _check_level(getattr(config["wrapper_class"], "__name__", ""))

    def _find_renamer(self, processors: Any) -> str | None:
        renamed = None
        for processor in processors:
            if processor is self:
                return renamed
            if type(processor).__name__ == "EventRenamer":
                renamed = processor.to
            if getattr(processor, "__name__", "") == "filter_by_level":
                _check_filter()
        return None


def _is_foreign(record: Any) -> bool:
    """Whether this is a record of the standard library that structlog did not make."""
    return isinstance(record, logging.LogRecord) and "_logger" not in record.__dict__


def _check_level(wrapper: str) -> None:
    for level in ("Warning", "Error", "Critical"):
        if wrapper == f"BoundLoggerFilteringAt{level}":
            text = (
                f"structlog is configured to drop what is below {level.upper()}, tagged or "
                "not: make_filtering_bound_logger(logging.INFO) lets audited calls pass"
            )
            report_once(wrapper, logging.WARNING, text)


def _check_filter() -> None:
    """Report what ``filter_by_level`` before us drops, if it drops INFO of the root logger."""
    if not logging.root.isEnabledFor(logging.INFO):
        text = (
            "structlog's filter_by_level comes before AuditProcessor, and the root logger drops "
            "INFO, tagged or not: set its level to INFO, or put AuditProcessor before it"
        )
        report_once("filter_by_level", logging.WARNING, text, anyway=True)


_processors: WeakSet[AuditProcessor] = WeakSet()


def _check_all() -> None:
    for processor in list(_processors):
        processor._know_chain()


atexit.register(_check_all)


def _in_context(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event with what structlog's context variables and our own give; ours win."""
    contextvars = sys.modules.get("structlog.contextvars")
    bound = contextvars.get_contextvars() if contextvars is not None else {}
    given = current()
    if given.keys() <= event.keys() and bound.keys() <= event.keys():
        return event  # merge_contextvars was here before
    return over(bound, given, event)
