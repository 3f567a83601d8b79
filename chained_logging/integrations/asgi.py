"""ASGI: FastAPI, Starlette, Litestar and every other application that speaks it.

app.add_middleware(AuditMiddleware, log="audit.jsonl")      # FastAPI, Starlette
app = AuditMiddleware(app, log="audit.jsonl")               # any
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, Final

from chained_logging.integrations.courier import Event
from chained_logging.integrations.routes import template
from chained_logging.integrations.web import loops
from chained_logging.integrations.web.answer import CLIENT_GONE, UNFINISHED
from chained_logging.integrations.web.auditor import Auditor
from chained_logging.integrations.web.exchange import Exchange, annotate, set_actor
from chained_logging.integrations.web.headers import (
    content_length,
    has_no_body,
    header_text,
    location,
    redirects,
)
from chained_logging.integrations.web.marks import audited
from chained_logging.integrations.web.people import Person, person_of
from chained_logging.integrations.web.shown import shown
from chained_logging.log import AuditLog

__all__ = ["AuditMiddleware", "annotate", "audited", "set_actor", "shown"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_SEEN = "chained_logging"
_BODIES = ("http.response.body", "http.response.pathsend", "http.response.zerocopysend")


class AuditMiddleware:
    """Records one entry for each HTTP request, and two for each WebSocket.

    :param app: the application.
    :param log: an open :class:`AuditLog`, or a path.
    :param options: those of :class:`chained_logging.integrations.web.Auditor`.
    """

    def __init__(
        self, app: Application, *, log: AuditLog | str | os.PathLike[str], **options: Any
    ) -> None:
        self.app = app
        self.auditor = Auditor(log, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        # An application that is mounted in another may have a middleware of its own.
        exchange = None
        if kind in ("http", "websocket") and _SEEN not in scope:
            exchange = self._begin(scope)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        scope[_SEEN] = True
        answer = (_Answer if kind == "http" else _Socket)(self.auditor, exchange, receive, send)
        try:
            with exchange:
                await self.app(scope, answer.receive, answer.send)
        except BaseException as error:
            await answer.failed(error)
            raise
        await answer.ended()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_drained(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await loops.in_thread(self.auditor.drain)
            await send(message)

        await self.app(scope, receive, send_drained)

    def _begin(self, scope: Scope) -> Exchange | None:
        client = scope.get("client")
        return self.auditor.begin(
            scope,
            scope.get("method", "WEBSOCKET"),
            scope["path"],
            client[0] if client else None,
            partial(_header, scope["headers"]),
            header_text(scope.get("query_string", b"")),
        )


class _Connection:
    """What an HTTP request and a WebSocket have in common."""

    def __init__(self, auditor: Auditor, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._auditor = auditor
        self._exchange = exchange
        self._receive = receive
        self._send = send
        self._root = exchange.native.get("root_path", "")
        at_first = _state_user(exchange.native)
        exchange.look = _look if at_first is None else _look_but_at(at_first)

    def _event(self) -> Event | None:
        """Return the event, with what the application's router has put into the scope."""
        exchange = self._exchange
        scope = exchange.native
        exchange.params = scope.get("path_params") or {}
        exchange.route = _route(scope, self._root)
        handler = scope.get("route_handler")  # Litestar
        exchange.view = getattr(handler, "fn", None) or scope.get("endpoint")
        return self._auditor.event(exchange)


class _Answer(_Connection):
    """The messages of one HTTP response, on their way out."""

    def __init__(self, auditor: Auditor, exchange: Exchange, receive: Receive, send: Send) -> None:
        super().__init__(auditor, exchange, receive, send)
        self._before = auditor.mode == "before"
        self._start: Message | None = None  # held back until the entry is stored
        self._length: int | None = None
        self._sent = 0
        self._whole = False
        self._short = False
        self._gone = False
        self._refused: BaseException | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = self._gone or not self._whole
        elif self._exchange.attempt is not None:
            self._exchange.attempt.feed(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if self._refused is not None:
            raise self._refused
        kind = message["type"]
        whole = False  # whether the client has the whole answer with this message
        if kind == "http.response.start":
            exchange = self._exchange
            exchange.status = message["status"]
            headers = message.get("headers", ())
            self._length = content_length(headers)
            if redirects(exchange.status):
                exchange.location = location(headers)
            whole = has_no_body(exchange.method, exchange.status, self._length)
            if not whole and self._before and self._length is not None:
                self._start = message  # so that it can still become a 500
                return
        elif not self._whole and kind in _BODIES:
            whole = self._completes(message)
        if whole:
            self._whole = True
            if self._gone or self._short:
                self._exchange.cause = CLIENT_GONE if self._gone else UNFINISHED
            if self._before:
                await self._record()
        held, self._start = self._start, None
        if held is not None:
            await self._send(held)
        await self._send(message)
        if whole and not self._before:
            await self._record()

    def _completes(self, message: Message) -> bool:
        """Whether the client has the whole answer with this message."""
        self._sent += len(message.get("body", b""))
        counted = self._length is not None and message["type"] == "http.response.body"
        if not message.get("more_body", False):
            self._short = counted and self._sent < (self._length or 0)
            return True
        if self._length is None:
            return False
        return not counted or self._sent >= self._length

    async def _record(self) -> None:
        if self._exchange.done:
            return
        self._exchange.done = True
        try:
            event = self._event()
            if event is None:
                return
            if self._before:
                await self._auditor.store_async(event)
            else:
                self._auditor.courier.post(event)
        except BaseException as error:
            self._refused = error
            raise

    async def failed(self, error: BaseException) -> None:
        """The application raised."""
        exchange = self._exchange
        if exchange.done:
            return
        gone = self._gone or loops.is_cancellation(error)
        exchange.cause = CLIENT_GONE if gone else error
        if exchange.status is None and not gone:
            exchange.status = 500  # which is what the server answers
        await self._record()

    async def ended(self) -> None:
        """The application returned."""
        if self._refused is not None:  # it caught what we raised
            raise self._refused
        if not self._exchange.done:
            self._exchange.cause = CLIENT_GONE if self._gone else UNFINISHED
            await self._record()
            if self._start is not None:
                await self._send(self._start)


class _Socket(_Connection):
    """A WebSocket: an entry when it is accepted or denied, and one when it is closed."""

    def __init__(self, auditor: Auditor, exchange: Exchange, receive: Receive, send: Send) -> None:
        super().__init__(auditor, exchange, receive, send)
        self._accepted = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            await self._closed(message.get("code", 1005))
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
            await self._record("connect", 101)
        elif kind == "websocket.close":
            await self._closed(message.get("code", 1000))
        elif kind == "websocket.http.response.start":
            await self._denied(message["status"])
        await self._send(message)

    async def failed(self, error: BaseException) -> None:
        """The application raised."""
        if not self._exchange.done:
            self._exchange.cause = error
            await self._closed(1011)

    async def ended(self) -> None:
        """The application returned."""
        await self._closed(1000)

    async def _denied(self, status: int) -> None:
        self._exchange.done = True
        await self._record("connect", status)

    async def _closed(self, code: int) -> None:
        exchange = self._exchange
        if exchange.done:
            return
        if not self._accepted:  # the server answers 403, or 500 if this is an error
            await self._denied(403 if exchange.cause is None else 500)
            return
        exchange.done = True
        exchange.context["close_code"] = code
        if code not in _GOOD_CLOSES and exchange.cause is None:
            exchange.cause = CLIENT_GONE if code == 1006 else f"closed with {code}"
        await self._record("disconnect", 101)

    async def _record(self, action: str, status: int) -> None:
        self._exchange.status = status
        self._exchange.action = action
        event = self._event()
        if event is not None:
            await self._auditor.store_async(event)


_GOOD_CLOSES = (1000, 1001, 1005)


def _look(exchange: Exchange) -> Person | None:
    """Return the user that the application put into the scope, as Starlette does, or its state."""
    scope = exchange.native
    user = scope.get("user")
    if user is None:
        user = _state_user(scope)
    return None if user is None else person_of(user)


def _look_but_at(at_first: Any) -> Callable[[Exchange], Person | None]:
    """Ignore what the lifespan left in the state: it is not a user, but the same for all."""

    def look(exchange: Exchange) -> Person | None:
        scope = exchange.native
        if scope.get("user") is None and _state_user(scope) is at_first:
            return None
        return _look(exchange)

    return look


def _state_user(scope: Scope) -> Any:
    state = scope.get("state")
    if not state or not isinstance(state, dict):
        return None
    return next((state[name] for name in _USERS if state.get(name) is not None), None)


_USERS: Final = ("user", "current_user", "user_id")
"""Where middlewares keep the signed-in user in ``request.state``."""


def _header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    wanted = name.encode("latin-1")
    found = [value for key, value in headers if key == wanted]
    return header_text(b",".join(found)) if found else None


def _route(scope: Scope, root: str) -> str | None:
    """Return the template of the route that matched, as the framework left it in the scope."""
    if "path_template" in scope:  # Litestar
        return template(scope["path_template"])
    route = scope.get("route")
    path = getattr(route, "path", None)
    if path is None:
        return None
    # A router that FastAPI includes knows its routes without their prefix, from 0.13x on.
    included = scope.get("fastapi")
    if isinstance(included, dict):
        effective = included.get("effective_route_context")
        if getattr(effective, "original_route", None) is route:
            path = getattr(effective, "path", None) or path
    # What a mount took off the path has become part of the root path.
    return template(scope.get("root_path", "").removeprefix(root) + path)
