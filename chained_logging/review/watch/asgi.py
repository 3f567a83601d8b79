"""The health of a log as a route of a web application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from chained_logging.review.watch.conditions import Limits
from chained_logging.review.watch.health import health

_STATUS: Final = {"well": 200, "unwell": 503, "unknown": 503}

_Scope = MutableMapping[str, Any]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HealthRoute:
    """An ASGI application that answers with the health of a log: 200 if all is well, else 503.

    The answer names destinations and files, so it is for those who run the program: mount it where
    they alone can ask.

    :param log: the path of the log.

    >>> app.mount("/health/audit", HealthRoute("audit.db"))
    """

    def __init__(self, log: str, limits: Limits | None = None) -> None:
        self._log = log
        self._limits = limits

    async def __call__(self, scope: _Scope, receive: Any, send: _Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise ValueError("a health route answers requests of HTTP alone")
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"", scope)
            return
        found = await asyncio.to_thread(health, self._log, self._limits)
        body = json.dumps(found.to_dict()).encode()
        await _answer(send, _STATUS[found.status], body, scope)


async def _answer(send: _Send, status: int, body: bytes, scope: _Scope) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
