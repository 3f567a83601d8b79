"""The server of an ASGI application, played for one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


def scope(method: str = "GET", path: str = "/x", **more: Any) -> Message:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [],
        "client": ("192.0.2.1", 1234),
        "query_string": b"",
        **more,
    }


def serve(
    app: Any,
    on_send: Callable[[Message], None] = lambda message: None,
    incoming: tuple[Message, ...] = (),
    **about: Any,
) -> list[Message]:
    """Play the server for one request; return what went out."""
    sent: list[Message] = []
    waiting = list(incoming)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(30)
        raise AssertionError

    async def send(message: Message) -> None:
        on_send(message)
        sent.append(message)

    asyncio.run(app(scope(**about), receive, send))
    return sent
