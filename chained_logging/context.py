"""What holds for all audit events of a request, a task or a block: the actor, the address …"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

_EMPTY: Mapping[str, Any] = {}
_current: ContextVar[Mapping[str, Any]] = ContextVar("chained_logging_context", default=_EMPTY)


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Give fields to every audit event that is logged inside this block.

    Blocks nest, the inner one wins, and what the call itself passes wins over
    both. Tasks of :mod:`asyncio` inherit it; a thread does where it is started
    through :func:`asyncio.to_thread` or ``contextvars.copy_context().run``.

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
