"""Turns what logging or structlog hands over into an event, and into one entry in each log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from chained_logging.diagnostics import unheard
from chained_logging.event.entry import AuditId, InvalidEntry
from chained_logging.event.fields import set_apart
from chained_logging.integrations.log_records import (
    Logged,
    exception_of,
    message_text,
    noted,
    settle,
)
from chained_logging.log import AuditLog

OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
"""What every record has by itself; the rest came by ``extra``."""

_STRUCTLOG: Final = frozenset({"_logger", "_name", "_record", "_from_structlog"})
_NOT_FIELDS: Final = OWN | _STRUCTLOG
_SPECIAL: Final = _STRUCTLOG | {"audit_id", "exc_info", "stack_info"}
FAILURES: Final = frozenset({"error", "exception", "critical", "fatal"})
"""Names of methods that say that something failed."""

_MARKS: Final = 1024


class Captured(NamedTuple):
    """What a capture found: the action and the result count where the event names none."""

    event: Mapping[str, Any]
    action: Any
    result: str


_new_captured = tuple.__new__  # one call less than Captured(…)


# --- Once in each log.


def capture_record(log: AuditLog, record: logging.LogRecord) -> AuditId | None:
    """Append an entry for a tagged record, unless the log has one, and put the id on the record.

    :returns: the id of the entry in the log that had it first, or None if no log has it.
    """
    first = settle(record)
    known = recorded_as(record)
    if known is None or log.path not in known.logs:
        made: AuditId | None = None
        try:
            found = captured(record, first, known)
            made = log.record(found.event, action=found.action, result=found.result)
        except Exception as error:
            lost(log, error)
        known = joined(known, made, record.__dict__.get("audit_id"))
    if known is not None:
        record.__dict__["audit_id"] = known
        mark(record, known)
    return known


def lost(log: AuditLog, error: Exception) -> None:
    """Report that an event has no entry, or raise its error if the log's options ask for that.

    :param error: what the caller is handling.
    """
    if log.on_failure == "raise" or (log.strict and isinstance(error, InvalidEntry)):
        raise error
    name = type(error).__name__
    unheard(f"{log.path} {name}", f"audit log {log.path}: an event is lost: {name}: {error}")


def joined(known: AuditId | None, made: AuditId | None, given: object) -> AuditId | None:
    """Return the id of an event that one more log has."""
    if made is None:
        return known
    if known is None:
        return made if given is None else AuditId(made, made.logs, given)
    return AuditId(known, (*known.logs, *made.logs), known.given)


def is_recorded(log: AuditLog, record: logging.LogRecord) -> bool:
    """Whether the log has an entry of this record."""
    known = recorded_as(record)
    return known is not None and log.path in known.logs


def recorded_as(record: logging.LogRecord) -> AuditId | None:
    """Return the id of a record's entry, even if a copy or structlog made it."""
    known = record.__dict__.get("audit_id")
    if type(known) is AuditId:
        return known
    if type(record.msg) is dict or "extra" in record.__dict__:  # of structlog, of loguru
        for inside in (record.msg, record.__dict__.get("extra")):
            known = inside.get("audit_id") if type(inside) is dict else None
            if type(known) is AuditId:
                return known
    moment, marked = _marks.get(id(record.created), (None, None))
    return marked if moment is record.created else None


def mark(record: logging.LogRecord, known: AuditId) -> None:
    """Recognize a record's copies by their time, an object that they share."""
    _marks[id(record.created)] = record.created, known
    while len(_marks) > _MARKS:
        _marks.pop(next(iter(_marks)), None)


_marks: dict[int, tuple[float, AuditId]] = {}


# --- Records.


def event_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return a tagged record as an event, with ``action`` and ``result``.

    It is what :class:`chained_logging.AuditHandler` stores, for a handler that sends it elsewhere.
    """
    event, action, result = captured(record, settle(record), recorded_as(record))
    return {"action": action, "result": result, **event}


def captured(
    record: logging.LogRecord, first: logging.LogRecord, known: AuditId | None
) -> Captured:
    """Return what is to be stored of a record.

    :param first: the record that this is a copy of: a formatter's copy has lost the arguments and
        the exception.
    :param known: the id that it got from another log.
    """
    logged = noted(first)
    message = logged.message
    said_in_text = type(record.msg) is str  # nearly always; asking for a Mapping takes a call
    if message is None and not said_in_text and isinstance(record.msg, Mapping):
        message = record.msg
    fields = _fields(record, logged, known)
    if message is not None:
        failed = (record.levelno or 0) >= logging.ERROR
        found = structured({key: message[key] for key in message if key != "audit"}, failed=failed)
        event = over(logged.context, fields, found.event)
        action: Any = found.action
        failed = found.result == "failure"
    else:
        text = logged.text
        if text is None:
            plain = said_in_text and not record.args and first is record
            text = record.msg if plain else message_text(record if record.args else first)
        # A queue's handler of another kind may have put a traceback into the message.
        action = text.partition("\n")[0]
        event = over(logged.context, fields) if logged.context else dict(fields)
        if "\n" in text or event.get("action", text) != text:
            event.setdefault("message", text)
        failed = (record.levelno or 0) >= logging.ERROR
    caught = logged.exception
    exc_info = record.exc_info or first.exc_info
    if exc_info and not caught:
        caught = exception_of(exc_info)
    if caught is not None:
        event["exception"] = caught
        failed = True
    return _new_captured(Captured, (event, action, "failure" if failed else "success"))


def _fields(record: logging.LogRecord, logged: Logged, known: AuditId | None) -> Mapping[str, Any]:
    """Return what the caller passed beside the message."""
    every = record.__dict__
    if logged.fields is not None:
        # What filters and factories have put on the record; what the call passed wins over it.
        more = set(_passed(tuple(every))) - logged.fields.keys() - {"audit_id"}
        return set_apart({**{key: every[key] for key in more}, **logged.fields})
    names = _passed(tuple(every))
    fields = dict(zip(names, map(every.__getitem__, names), strict=True))
    extra = fields.get("extra")
    if isinstance(extra, dict) and extra.get("audit"):  # loguru's
        del fields["extra"]
        fields.update(extra)
    if "audit_id" in fields:
        _without_ours(fields, known)
    if fields.get("audit") is True:  # the tag alone, as nearly always: no need to sort it out
        del fields["audit"]
    return set_apart(fields)


@lru_cache(maxsize=1024)  # a line of code passes the same names each time
def _passed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of a record's attributes that the caller passed by ``extra``."""
    return tuple(name for name in names if name not in _NOT_FIELDS)


def _without_ours(fields: dict[str, Any], known: AuditId | None) -> None:
    """Put the caller's own ``audit_id`` back in place of ours."""
    if type(fields.get("audit_id")) is AuditId:
        del fields["audit_id"]
        if known is not None and known.given is not None:
            fields["audit_id"] = known.given


# --- Events of structlog, and other messages that are objects.


def structured(event: Mapping[str, Any], failed: bool, renamed: str | None = None) -> Captured:
    """Return what is to be stored of an event dictionary.

    :param renamed: the key of the event's text, where an ``EventRenamer`` was before.
    """
    key = "event"
    if renamed is not None and renamed in event:
        key = renamed
    elif key not in event:
        key = next((name for name in ("message", "msg") if name in event), key)
    action = event.get(key)
    own = "action" in event and action is not None
    if own or key != "event" or not _SPECIAL.isdisjoint(event):
        event = _tidied(event, key, own)
    if "exception" in event:
        failed = True
    result = "failure" if failed else "success"
    return _new(Captured, (event, action, result))  # half the time of Captured(…)


_new = tuple.__new__


def _tidied(event: Mapping[str, Any], key: str, own: bool) -> dict[str, Any]:
    """Return an event with its exceptions and its keys with two meanings resolved."""
    tidy = {name: event[name] for name in event if name not in _STRUCTLOG and name != key}
    if own:
        tidy.setdefault("message", event[key])
    known = event.get("audit_id")
    _without_ours(tidy, known if type(known) is AuditId else None)
    _take_exception(tidy)
    if isinstance(tidy.get("stack_info"), bool | None):  # it asks for a stack on the line
        tidy.pop("stack_info", None)
    return dict(set_apart(tidy))


def _take_exception(event: dict[str, Any]) -> None:
    """Describe the exception that ``exc_info`` stands for; any other value is the caller's own."""
    info = event.get("exc_info")
    caught = exception_of(info)
    if caught is None and (info is True or "exception" in event):
        # True means the one being handled; so it is if format_exc_info was here already.
        caught = exception_of(sys.exc_info())
    if caught is not None:
        event["exception"] = caught
    if caught is not None or not info or info is True or isinstance(info, tuple):
        event.pop("exc_info", None)


# --- Merging.


def over(*given: Mapping[str, Any]) -> dict[str, Any]:
    """Merge events. A later event's keys come last, because the last key for a field counts."""
    event: dict[str, Any] = {}
    for fields in given:
        if not event:
            event = dict(fields)
            continue
        for key in fields:
            event.pop(key, None)
            event[key] = fields[key]
    return event
