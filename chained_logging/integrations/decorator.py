"""``@audited``: each call of a function becomes an entry."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chained_logging.event.context import current
from chained_logging.event.values import jsonable
from chained_logging.integrations.listening import deliver
from chained_logging.integrations.log_records import Logged, install, note
from chained_logging.log import AuditLog

Function = TypeVar("Function", bound=Callable[..., Any])


def audited(
    resource_type: str,
    *,
    id: str | Callable[[Mapping[str, Any]], Any] | None = None,
    action: str | None = None,
    log: AuditLog | str | os.PathLike[str] | None = None,
    **fields: Any,
) -> Callable[[Function], Function]:
    """Make each call of a function an entry, once it has returned or raised.

    The result is ``success`` if it returned, ``denied`` if it raised PermissionError, ``failure``
    for any other exception, which goes on to the caller. ``context`` has ``duration_ms`` and the
    exception. Who did it and from where comes from :func:`chained_logging.context`.

    :param id: where the resource's id is found: the name of a parameter, with attributes or keys
        after it if need be (``"patient.id"``), or ``return`` for what the function returned
        (``"return.id"``); or a callable that takes the arguments by name. None for the whole
        collection, ``*``, which is also the id if a call failed and returned none.
    :param action: by default the function's name.
    :param log: an :class:`AuditLog`, or a path that is opened with the first call. None for the
        handlers of the logger with the name of the function's module, whatever its level.
    :param fields: more fields of each entry.
    :raises TypeError: for a parameter that the function does not have, and for a generator
        function, which returns before its body runs.

    >>> @audited("patient_record", id="patient_id", action="read")
    ... def load(patient_id): ...
    """

    def decorate(function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator: audit what consumes it")
        install()
        call = _Audited(function, (resource_type, id), action or function.__name__, log, fields)
        wrapper = call.asynchronous if inspect.iscoroutinefunction(function) else call.plain
        return functools.wraps(function)(wrapper())  # type: ignore[return-value]

    return decorate


class _Audited:
    def __init__(
        self,
        function: Callable[..., Any],
        resource: tuple[str, str | Callable[[Mapping[str, Any]], Any] | None],
        action: str,
        log: AuditLog | str | os.PathLike[str] | None,
        fields: Mapping[str, Any],
    ) -> None:
        self.function = function
        self.signature = inspect.signature(function)
        self.kind, self.id = resource
        self.action = action
        self.log = log
        self.fields = fields
        if isinstance(self.id, str):
            name = self.id.partition(".")[0]
            if name != "return" and name not in self.signature.parameters:
                raise TypeError(f"{function.__qualname__} has no parameter {name!r}")

    def plain(self) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter_ns()
            try:
                returned = self.function(*args, **kwargs)
            except BaseException as error:
                self.write(self.event(args, kwargs, began, error=error))
                raise
            self.write(self.event(args, kwargs, began, returned=returned))
            return returned

        return wrapper

    def asynchronous(self) -> Callable[..., Any]:
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter_ns()
            try:
                returned = await self.function(*args, **kwargs)
            except BaseException as error:
                await self.write_async(self.event(args, kwargs, began, error=error))
                raise
            await self.write_async(self.event(args, kwargs, began, returned=returned))
            return returned

        return wrapper

    def event(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        began: int,
        *,
        returned: Any = None,
        error: BaseException | None = None,
    ) -> dict[str, Any]:
        duration = (time.perf_counter_ns() - began) / 1e6
        try:
            id = self.resource_id(args, kwargs, returned, failed=error is not None)
        except Exception:  # it is stored as unknown, and marked
            id = None
        event = {
            **current(),
            "action": self.action,
            **self.fields,
            "resource": (self.kind, id),
            "duration_ms": round(duration, 3),
            "result": "success",
        }
        if error is not None:
            event["result"] = "denied" if isinstance(error, PermissionError) else "failure"
            event["exception"] = jsonable(error)
        return event

    def resource_id(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], returned: Any, *, failed: bool
    ) -> Any:
        if self.id is None:
            return "*"
        if isinstance(self.id, str) and self.id.partition(".")[0] == "return":
            return "*" if failed else _follow(returned, self.id.split(".")[1:])
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if callable(self.id):
            return self.id(bound.arguments)
        name, *path = self.id.split(".")
        return _follow(bound.arguments[name], path)

    def write(self, event: dict[str, Any]) -> None:
        if self.log is not None:
            self.opened().append_many([event])
            return
        # A level is for what is worth reading; whether this is audited does not depend on it.
        logger = logging.getLogger(self.function.__module__)
        code = inspect.unwrap(self.function).__code__
        record = logger.makeRecord(
            logger.name,
            logging.INFO if event["result"] == "success" else logging.WARNING,
            code.co_filename,
            code.co_firstlineno,
            self.action,
            (),
            None,
            self.function.__name__,
            {"audit": True},
        )
        note(record, Logged(fields=event))
        deliver(logger, record)

    async def write_async(self, event: dict[str, Any]) -> None:
        log = self.log and self.opened()
        if log and log.durability == "fsync":  # the event loop must not wait for the disk
            import asyncio  # takes 30 ms, but async callers have imported it

            await asyncio.shield(asyncio.to_thread(log.append_many, [event]))
        else:
            self.write(event)

    def opened(self) -> AuditLog:
        if not isinstance(self.log, AuditLog):
            with _opening:
                path = os.path.realpath(self.log or "")
                self.log = _opened.get(path) or _opened.setdefault(path, AuditLog(path))
        return self.log


_opening = threading.Lock()
_opened: dict[str, AuditLog] = {}


def _follow(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value
