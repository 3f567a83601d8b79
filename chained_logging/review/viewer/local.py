"""The viewer for the person at this machine: on loopback, behind an address that works once."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
from collections.abc import Mapping
from typing import Final

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from chained_logging.review.reading import Reader, Rules
from chained_logging.review.viewer.access import Access
from chained_logging.review.viewer.application import application
from chained_logging.review.viewer.guard import ASGI, Guard, Receive, Scope, Send
from chained_logging.review.viewer.opened import OpenedLog

LOOPBACK: Final = "127.0.0.1"
_OPEN: Final = "/open/"
_REQUESTS: Final = 40  # at once
_IDLE: Final = 5  # seconds until a connection without a request is closed

# A redirect would not send the cookie: the browser came from elsewhere. A page of ours may.
_WELCOME: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit log</title>'
    '<meta http-equiv="refresh" content="0;url=/"><link rel="icon" href="/static/icon.svg"></head>'
    '<body><p><a href="/">Open the audit log</a></p></body></html>'
)


class Session:
    """Lets in the browser that opens an address with a token, once, and no other.

    :param reader: who looks at the log.
    :param port: tells the cookie from those of other viewers: a cookie is for all ports.
    :param reason: why they look.
    """

    def __init__(self, reader: Reader, port: int, reason: str | None = None) -> None:
        self._access = Access(reader.name, reason=reason, about=reader.about, reviews=True)
        self._token: str | None = secrets.token_urlsafe(32)
        self._secret = secrets.token_urlsafe(32)
        self._cookie = f"chained_logging_{port}"
        self.path = f"{_OPEN}{self._token}"

    def authorize(self, request: Request) -> Access:
        """Return what the browser that was let in may see: all.

        :raises HTTPException: if it is another one.
        """
        given = request.cookies.get(self._cookie, "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise HTTPException(401, "open the address that chained-logging view printed")
        return self._access

    def enter(self, path: str) -> Response:
        """Return the answer to an address with a token: a cookie, for the first with the right one.

        :param path: the path of the address.
        """
        expected, given = self._token, path.removeprefix(_OPEN)
        if expected is None or not hmac.compare_digest(given.encode(), expected.encode()):
            why = "This address worked once. Start chained-logging view again for another one.\n"
            return Response(why, 403, media_type="text/plain")
        self._token = None
        answer = HTMLResponse(_WELCOME)
        answer.set_cookie(self._cookie, self._secret, path="/", httponly=True, samesite="strict")
        return answer

    def within(self, app: ASGI) -> ASGI:
        """Return an application with the address that lets in before it."""

        async def entered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].startswith(_OPEN):
                await self.enter(scope["path"])(scope, receive, send)
            else:
                await app(scope, receive, send)

        return entered


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on loopback.

    :param port: 0 for any that is free.
    :raises OSError: if it cannot be had.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening


def local_app(opened: OpenedLog, session: Session, port: int, rules: Rules) -> ASGI:
    """Return the viewer of a log for one browser on this machine."""
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    return Guard(session.within(application(opened, session.authorize, rules)), hosts)


def serve(app: ASGI, listening: socket.socket) -> None:
    """Serve an application until the process is interrupted."""
    options: Mapping[str, object] = {
        "access_log": False,  # it would hold the token
        "log_level": "warning",
        "server_header": False,
        "limit_concurrency": _REQUESTS,
        "timeout_keep_alive": _IDLE,
        "http": "h11",  # it refuses headers beyond 64 KiB
        "ws": "none",
    }
    config = uvicorn.Config(app, **options)  # type: ignore[arg-type]
    with contextlib.suppress(KeyboardInterrupt):  # which is how it is stopped
        uvicorn.Server(config).run(sockets=[listening])
