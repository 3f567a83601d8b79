"""Celery: each run of a task becomes an entry, with the actor who enqueued it.

The actor, the address, the session and the request id travel in the header
:data:`HEADER` of the task's message. Anyone who can write to the broker can put another actor
there, and the log trusts it as it trusts the application.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

try:
    from celery import signals, states  # type: ignore[import-untyped]
    from celery.exceptions import Reject, TimeLimitExceeded  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError("recording tasks needs Celery: pip install 'celery>=5.3'") from error

from chained_logging.event.context import context, current
from chained_logging.event.identifiers import identifier, person_name
from chained_logging.event.values import jsonable
from chained_logging.integrations.stdlib import AuditHandler
from chained_logging.log import AuditLog, opened

HEADER: Final = "chained_logging"
CARRIED: Final = (
    *("actor", "actor_id", "user_id", "actor_type", "ip", "ip_address"),
    *("session_id", "user_agent", "request_id", "actor_name"),
    *("on_behalf_of", "tenant", "tenant_id", "trace_id"),
)
"""What of the context goes along with a task."""

_ACTORS: Final = frozenset({"actor", "actor_id", "user_id"})
_MAX_CARRIED: Final = 1024  # characters in each
_NOBODY: Final = {"actor_id": "celery", "actor_type": "service"}


def record_tasks(*, log: AuditLog | str | os.PathLike[str]) -> Recorder:
    """Append an entry for each run of a task, and pass on who enqueued it.

    Call it where the application is made, so that it is in force in the workers and in what
    enqueues. The action is the task's name, the resource ``task/<id>``; ``context`` has ``state``,
    ``retries``, ``duration_ms`` and the exception. The result is ``success``, ``denied`` for
    PermissionError, and ``failure`` for any other exception. A run that ends in a retry is a
    failure with the state ``RETRY``, and the next run has an entry of its own. A task that is
    revoked, or whose worker was killed, is a failure with an entry from the worker's main process.
    What the task logs itself has the same actor, address and session. An ``AuditHandler`` on the
    root logger stays there, though Celery removes all handlers when a worker starts.

    :param log: an open log, or a path. Worker processes share its one chain.
    :returns: the recorder, whose ``stop()`` ends it.
    """
    return Recorder(log)


class Recorder:
    """See :func:`record_tasks`."""

    def __init__(self, log: AuditLog | str | os.PathLike[str]) -> None:
        self.log = opened(log)
        self._running: dict[tuple[int, str], tuple[int, AbstractContextManager[None]]] = {}
        self._errors: dict[str, Any] = {}
        self._in_child = False  # of a worker, whose main process says what became of its runs
        self._timed_out: str | None = None
        self._handlers: list[AuditHandler] = []
        self._receivers = (
            (signals.celeryd_init, self._note_handlers),
            (signals.after_setup_logger, self._return_handlers),
            (signals.worker_process_init, self._note_child),
            (signals.before_task_publish, self._publish),
            (signals.task_prerun, self._begin),
            (signals.task_retry, self._retried),
            (signals.task_failure, self._failed),
            (signals.task_revoked, self._revoked),
            (signals.task_postrun, self._end),
        )
        for signal, receiver in self._receivers:
            signal.connect(receiver, weak=False)

    def stop(self) -> None:
        """Record no more."""
        for signal, receiver in self._receivers:
            signal.disconnect(receiver)

    def _publish(self, headers: dict[str, Any] | None = None, **_: Any) -> None:
        if headers is not None:
            carried = _carriable(current())
            if carried:
                headers.setdefault(HEADER, carried)

    def _note_handlers(self, **_: Any) -> None:
        """Note the handlers that Celery is about to remove from the root logger."""
        handlers = logging.getLogger().handlers
        self._handlers = [handler for handler in handlers if isinstance(handler, AuditHandler)]

    def _return_handlers(self, logger: logging.Logger, **_: Any) -> None:
        for handler in self._handlers:
            if handler not in logger.handlers:
                logger.addHandler(handler)

    def _begin(self, task_id: str, task: Any, **_: Any) -> None:
        block = context(**_sender(task.request))
        block.__enter__()
        self._running[threading.get_ident(), task_id] = (time.perf_counter_ns(), block)

    def _note_child(self, **_: Any) -> None:
        self._in_child = True

    def _retried(self, request: Any, reason: Any = None, sender: Any = None, **_: Any) -> None:
        if self._runs(request.id):
            self._errors[request.id] = getattr(reason, "exc", None) or reason
        else:  # in the main process, which stops before the run has ended
            self._append(sender.name, request.id, states.RETRY, request, None)

    def _failed(self, task_id: str, exception: Any, sender: Any = None, **_: Any) -> None:
        if self._runs(task_id):
            self._errors[task_id] = exception
            return
        # In the main process: the one that ran it was killed. If it reached the time limit, this
        # is called twice, and knows the request at first only.
        request = getattr(sender, "request", None)
        again = self._timed_out == task_id and getattr(request, "id", None) != task_id
        self._timed_out = task_id if isinstance(exception, TimeLimitExceeded) else None
        if not again and not isinstance(exception, Reject):  # which the run itself has said
            self._append(sender.name, task_id, states.FAILURE, request, exception)

    def _runs(self, task_id: str) -> bool:
        return (threading.get_ident(), task_id) in self._running

    def _revoked(self, request: Any, sender: Any = None, **options: Any) -> None:
        reasons = ("terminated", "expired", "signum")
        about = {name: options[name] for name in reasons if options.get(name)}
        name = getattr(sender, "name", None) or getattr(request, "name", None)
        self._append(name, request.id, states.REVOKED, request, None, **about)

    def _end(self, task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
        began, block = self._running.pop((threading.get_ident(), task_id), (None, None))
        error = self._errors.pop(task_id, None)
        about = {}
        if began is not None:
            about["duration_ms"] = round((time.perf_counter_ns() - began) / 1e6, 3)
        try:
            # Without a state it was stopped in the middle. The main process says so, unless the
            # broker is to deliver the task again.
            if state is not None or not self._in_child or task.acks_late:
                self._append(task.name, task_id, state, task.request, error, **about)
        finally:
            if block is not None:
                block.__exit__(None, None, None)

    def _append(
        self, name: Any, task_id: str, state: str | None, request: Any, error: Any, **about: Any
    ) -> None:
        if isinstance(error, PermissionError):
            result = "denied"
        else:
            result = "success" if state in (states.SUCCESS, states.IGNORED) else "failure"
        event = {
            **current(),
            **_sender(request),
            "action": name,
            "resource_type": "task",
            "resource_id": task_id,
            "result": result,
            "state": state,
            "retries": getattr(request, "retries", None),
            **about,
        }
        event.pop("resource", None)  # the context's: not what this is about
        if isinstance(error, BaseException):
            event["exception"] = jsonable(error)
        self.log.append_many([event])


def _sender(request: Any) -> dict[str, Any]:
    """Return who enqueued a task, as its message says; the service itself, if nobody did."""
    carried = getattr(request, HEADER, None)
    if carried is None and isinstance(request, Mapping):
        carried = request.get(HEADER)
    if carried is None:  # a task that is called within the process that enqueued it
        carried = current()
    sender = _carriable(carried) if isinstance(carried, Mapping) else {}
    if not _ACTORS & sender.keys():
        sender |= _NOBODY
    return sender


def _carriable(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return what goes along with a task, as texts: what names a user object, a number, a UUID."""
    carried = {}
    for name, value in fields.items():
        if name in CARRIED and value is not None:
            try:
                carried[name] = identifier(value)
            except ValueError:
                carried[name] = ""  # which the log marks: there was one, and nothing names it
    for name in _ACTORS & fields.keys():
        person = person_name(fields[name], carried.get(name, ""))
        if person is not None:
            carried.setdefault("actor_name", person)
    return {name: text for name, text in carried.items() if len(text) <= _MAX_CARRIED}
