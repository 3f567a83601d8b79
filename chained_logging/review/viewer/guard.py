"""What holds for each request and each answer, whatever page it is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST: Final = 8_000
"""Bytes of an address. A filter with hundreds of values is shorter."""

FORMS: Final = ("/reviews/start", "/reviews/sign", "/alerts/acknowledge")
"""The ends of the only paths that take a form."""

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""What each answer has: no script runs, nothing is loaded from elsewhere, nothing is kept."""


class Guard:
    """Refuses what no page takes, and adds :data:`HEADERS` to each answer.

    :param app: the pages.
    :param hosts: the only values of the header ``Host``, so that no other name can be made to lead
        here (DNS rebinding); None for those of the application that this one is mounted into.
    """

    def __init__(self, app: ASGI, hosts: Collection[str] | None = None) -> None:
        self._app = app
        self._hosts = None if hosts is None else {host.encode() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [h for h in message["headers"] if h[0].decode().lower() not in HEADERS]
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": kept + added}
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, guarded)
        else:
            await _refuse(guarded, *refused)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if self._hosts is not None and (len(hosts) != 1 or hosts[0] not in self._hosts):
            return 421, "this address is not served here: use the one that the command printed"
        if scope["method"] == "POST" and scope["path"].endswith(FORMS):
            if not _from_here(scope, hosts):
                return 403, "this form was sent from another page: open the viewer's own"
        elif scope["method"] not in ("GET", "HEAD"):
            return 405, "the viewer only shows: use GET"
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST:
            return 414, f"the address must have at most {LONGEST:,} bytes: use fewer values"
        return None


def _from_here(scope: Scope, hosts: list[bytes]) -> bool:
    """Whether a browser says that a page of this very site sent a form.

    A page elsewhere cannot set these headers: ``Sec-Fetch-Site`` (W3C Fetch Metadata) and, in older
    browsers, ``Origin``. What is sent by no browser at all has neither, and is refused too.
    """
    given = {name: value for name, value in scope["headers"]}
    site = given.get(b"sec-fetch-site")
    if site is not None:
        return bool(site == b"same-origin")
    origin = given.get(b"origin", b"")
    return len(hosts) == 1 and origin.split(b"://", 1)[-1] == hosts[0]


async def _refuse(send: Send, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *([(b"allow", b"GET, HEAD")] if status == 405 else []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
