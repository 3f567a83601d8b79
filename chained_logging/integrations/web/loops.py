"""The two kinds of event loop that ASGI servers have: asyncio's and trio's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any


def is_asyncio() -> bool:
    """Whether this is called from asyncio, rather than from trio."""
    return asyncio._get_running_loop() is not None


async def in_thread(function: Callable[[], object]) -> None:
    """Call a function in a thread, to its end: cancellation waits for it."""
    if is_asyncio():
        await asyncio.shield(asyncio.to_thread(function))
        return
    trio: Any = sys.modules["trio"]
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(function)


def is_cancellation(error: BaseException) -> bool:
    """Whether this is how a loop ends a task."""
    if isinstance(error, asyncio.CancelledError):
        return True
    trio = sys.modules.get("trio")
    return trio is not None and isinstance(error, trio.Cancelled)
