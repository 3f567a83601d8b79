"""What holds for all audit events of a request, a task or a block: the actor, the address …"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

_EMPTY: Mapping[str, Any] = {}
_current: ContextVar[Mapping[str, Any]] = ContextVar("chained_logging_context", default=_EMPTY)


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Give fields to every audit event that is logged inside this block.

    Blocks nest, the inner one wins, and what the call itself passes wins over
    both. Tasks of :mod:`asyncio` inherit it; a thread does where it is started
    through :func:`asyncio.to_thread`, or with :func:`carried`.

    >>> with context(actor="user-123", ip="10.0.0.1"):
    ...     logger.info("read", extra={"audit": True, "resource": "patient_record/456"})
    """
    token = _current.set({**_current.get(), **fields})
    try:
        yield
    finally:
        _current.reset(token)


def share(fields: Mapping[str, Any]) -> Token[Mapping[str, Any]]:
    """Let a mapping stand in place of all that held before, until :func:`restore`.

    It is kept as it is: what its owner puts into it later holds from then on, in whichever task
    or thread the context was carried to.
    """
    return _current.set(fields)


def restore(token: Token[Mapping[str, Any]]) -> None:
    """Let hold again what held before :func:`share`."""
    _current.reset(token)


def current() -> Mapping[str, Any]:
    """Return the fields that hold here."""
    return _current.get()


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
