"""What holds for all audit events of a request, a task or a block: the actor, the address …"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from contextvars import ContextVar, Token, copy_context
from inspect import CO_ASYNC_GENERATOR, CO_GENERATOR
from types import FrameType
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from chained_logging.event.fields import FIELD_OF
from chained_logging.event.tracing import TRACED, trace_id

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")
Fields = Mapping[str, Any]


class _Shared(NamedTuple):
    """What holds for a request: see :func:`share`."""

    fields: Callable[[], Fields]
    depended: list[Fields]


_EMPTY: Fields = {}
_current: ContextVar[Fields | _Shared | _Layer] = ContextVar(
    "chained_logging_context", default=_EMPTY
)


class context(ContextDecorator):  # used like the function that it was
    """Give fields to every audit event that is logged inside this block.

    Blocks nest, the inner one wins, and what the call itself passes wins over
    both. Tasks of :mod:`asyncio` inherit it; a thread does where it is started
    through :func:`asyncio.to_thread`, or with :func:`carried`.

    The block may be left in another thread or task than it was entered in, as happens to a
    dependency that yields, or to an asynchronous generator that nobody exhausts.

    >>> with context(actor="user-123", ip="10.0.0.1"):
    ...     logger.info("read", extra={"audit": True, "resource": "patient_record/456"})
    """

    def __init__(self, **fields: Any) -> None:
        # By the fields' own names: else what the call itself passes might lose to an alias of it.
        self._fields = {FIELD_OF.get(name) or name: value for name, value in fields.items()}
        self._entered: list[tuple[Token[Any], _Layer]] = []

    def __enter__(self) -> None:
        _use.begin()
        layer = _Layer(_current.get(), self._fields)
        self._entered.append((_current.set(layer), layer))
        shared = layer.shared()
        if shared is not None and _makes_dependency(sys._getframe(1)):
            shared.depended.append(self._fields)

    def __exit__(self, *_: object) -> None:
        token, layer = self._entered.pop()
        shared = layer.shared()
        if shared is not None and shared.depended and _makes_dependency(sys._getframe(1)):
            # It ends before the dependency is there.
            shared.depended[:] = [held for held in shared.depended if held is not self._fields]
        try:
            _current.reset(token)
        except ValueError:  # left in another context than it was entered in: it ends in all
            layer.ended = True


class _Layer:
    """The fields of a block, over what holds outside of it."""

    __slots__ = ("ended", "fields", "outer")

    def __init__(self, outer: Fields | _Shared | _Layer, fields: Fields) -> None:
        self.outer = outer
        self.fields = fields
        self.ended = False

    def merged(self) -> Fields:
        """Return all that holds now: a request may have learned more since the block began."""
        held: Fields | _Shared | _Layer = self
        layers = []
        while isinstance(held, _Layer):
            if not held.ended:
                layers.append(held.fields)
            held = held.outer
        fields = dict(held.fields() if isinstance(held, _Shared) else held)
        for layer in reversed(layers):
            fields.update(layer)
        return fields

    def shared(self) -> _Shared | None:
        """Return what holds for the request that this is in, if it is in one."""
        held: Fields | _Shared | _Layer = self
        while isinstance(held, _Layer):
            held = held.outer
        return held if isinstance(held, _Shared) else None


def share(fields: Callable[[], Fields], depended: list[Fields] | None = None) -> Token[Any]:
    """Replace the whole context with what a callable returns, until :func:`restore`.

    It is asked whenever an event is logged, so that what its owner learns later holds from then
    on, in whichever task or thread the context was carried to.

    :param depended: gets the fields of each block that a dependency of FastAPI holds open. They
        are meant for the request, but a ``def`` dependency runs in a context of its own.
    """
    _use.begin()
    return _current.set(_Shared(fields, [] if depended is None else depended))


_GENERATORS: Final = CO_GENERATOR | CO_ASYNC_GENERATOR
_STARTERS: Final = ("fastapi.dependencies.", "anyio.", "trio.")
"""What starts a dependency that yields: FastAPI, or the thread in which it has a ``def`` run."""


def _makes_dependency(frame: FrameType | None) -> bool:
    """Whether this is a dependency of FastAPI on its way to the value that it yields."""
    if frame is None or not frame.f_code.co_flags & _GENERATORS:
        return False
    entering = False
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module == "contextlib":
            entering = entering or frame.f_code.co_name in ("__enter__", "__aenter__")
        elif not frame.f_code.co_flags & _GENERATORS:
            return entering and module.startswith(_STARTERS)
        frame = frame.f_back
    return False


def restore(token: Token[Any]) -> None:
    """Let hold again what held before :func:`share`."""
    _current.reset(token)


class _Use:
    """Whether this process ever gave a context, and who is to know when it does."""

    ever = False
    watch: Callable[[], None] | None = None

    def begin(self) -> None:
        self.ever = True
        if self.watch is not None:
            self.watch()


_use = _Use()


def when_used(watch: Callable[[], None]) -> None:
    """Have this called whenever a context begins."""
    _use.watch = watch


def was_used() -> bool:
    """Whether this process ever gave a context."""
    return _use.ever


def current() -> Fields:
    """Return the fields that hold here, with the trace of OpenTelemetry's current span."""
    held = _current.get()
    if type(held) is dict:
        fields: Fields = held
    else:
        fields = held.merged() if isinstance(held, _Layer) else held.fields()  # type: ignore[union-attr]
    if TRACED in sys.modules and "trace_id" not in fields:
        trace = trace_id()
        if trace is not None:
            return {**fields, "trace_id": trace}
    return fields


def carried(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Return `function` bound to the context of here and now, for another thread to call.

    All context variables go with it, as they do into a task of :mod:`asyncio`. It may be called
    often, and by several threads at once.

    >>> Thread(target=carried(work)); executor.map(carried(work), items)
    """
    context = copy_context()

    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        return context.copy().run(function, *args, **kwargs)

    return call
