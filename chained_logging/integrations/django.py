"""Django, synchronous and asynchronous.

    MIDDLEWARE = ["chained_logging.integrations.django.AuditMiddleware", ...]      # the first
    CHAINED_LOGGING = {"log": BASE_DIR / "audit.jsonl"}

The keys of ``CHAINED_LOGGING`` are the parameters of
:class:`chained_logging.integrations.web.Auditor`, ``log`` among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django.conf import settings  # type: ignore[import-untyped]
    from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
    from django.shortcuts import resolve_url  # type: ignore[import-untyped]
    from django.urls import resolve  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError("this needs Django: pip install django") from error

from chained_logging.integrations.routes import template
from chained_logging.integrations.web import django_users as users
from chained_logging.integrations.web.answer import CLIENT_GONE, Answer
from chained_logging.integrations.web.auditor import Auditor
from chained_logging.integrations.web.exchange import Exchange, annotate, set_actor
from chained_logging.integrations.web.headers import (
    content_length,
    environ_header,
    has_no_body,
    redirects,
)
from chained_logging.integrations.web.marks import Audited, audited
from chained_logging.integrations.web.shown import shown

__all__ = ["AuditMiddleware", "annotate", "audited", "set_actor", "shown"]

_SEEN = "_chained_logging"


class AuditMiddleware:
    """Records one entry for each request; put it first in ``MIDDLEWARE``.

    :raises ImproperlyConfigured: without a ``CHAINED_LOGGING`` in the settings that names a log.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        options = dict(getattr(settings, "CHAINED_LOGGING", {}))
        if "log" not in options:
            raise ImproperlyConfigured('CHAINED_LOGGING = {"log": ...} names no audit log')
        self.get_response = get_response
        self.auditor = Auditor(**options)
        self.auditor.login.know(_is_login_page)
        users.connect()
        self._async = iscoroutinefunction(get_response)
        self.process_view: Callable[..., Any] = self._see_view
        if self._async:
            markcoroutinefunction(self)
            self.process_view = self._see_view_async

    def __call__(self, request: Any) -> Any:
        """Serve one request."""
        if self._async:
            return self._serve_async(request)
        exchange = self._begin(request)
        if exchange is None:
            return self.get_response(request)
        try:
            with exchange:
                response = self.get_response(request)
        except BaseException as error:  # SystemExit; Django makes a response of an Exception
            self._failed(exchange, request, error).record()
            raise
        users.see(exchange, request)
        answer = self._answer(exchange, request, response)
        if answer is not None:
            answer.complete()
        return response

    async def _serve_async(self, request: Any) -> Any:
        exchange = self._begin(request)
        if exchange is None:
            return await self.get_response(request)
        try:
            with exchange:
                response = await self.get_response(request)
        except asyncio.CancelledError:
            exchange.cause = CLIENT_GONE
            _see_route(exchange, request)
            await Answer(self.auditor, exchange).record_async()
            raise
        except BaseException as error:
            await self._failed(exchange, request, error).record_async()
            raise
        await users.see_async(exchange, request)
        answer = self._answer(exchange, request, response)
        if answer is not None:
            await answer.complete_async()
        return response

    def _begin(self, request: Any) -> Exchange | None:
        # Under an AuditMiddleware of the server's own kind, that one records the request.
        outer = getattr(request, "scope", None) or request.META
        if "chained_logging" in outer:
            return None
        exchange = self.auditor.begin(
            request,
            request.method,
            request.path,
            request.META.get("REMOTE_ADDR"),
            environ_header(request.META),
            request.META.get("QUERY_STRING", ""),
        )
        if exchange is not None:
            exchange.look = users.look
            setattr(request, _SEEN, exchange)
        return exchange

    def _failed(self, exchange: Exchange, request: Any, error: BaseException) -> Answer:
        _see_route(exchange, request)
        answer = Answer(self.auditor, exchange)
        answer.note_failure(error)
        return answer

    def _answer(self, exchange: Exchange, request: Any, response: Any) -> Answer | None:
        """Return what is to be completed now; None if streaming or closing completes it later."""
        exchange.status = response.status_code
        if redirects(exchange.status):
            exchange.location = response.get("Location")
        delattr(request, _SEEN)  # it would make a cycle
        raised = getattr(request, "_chained_logging_raised", None)
        if response.status_code >= 500 and raised is not None:
            exchange.cause = raised
        _see_route(exchange, request)
        try:
            users.refused(exchange, request, response)
        except Exception as error:  # a form of the application's own
            self.auditor.complain("form", error, exchange)
        length = content_length(response.items())
        if response.streaming:
            kind = _AsyncStream if response.is_async else Answer
            stream = kind(self.auditor, exchange, response.streaming_content, length)
            response.streaming_content = stream
            whole = has_no_body(exchange.method, exchange.status, length)
            return stream if whole else None
        answer = Answer(self.auditor, exchange)
        if self.auditor.mode == "before":
            return answer
        _when_closed(response, answer)
        return None

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Note what a view raised; Django goes on to make a response of it."""
        request._chained_logging_raised = exception

    def _see_view(self, request: Any, *_: object) -> None:
        """Let what a view logs inherit the user."""
        exchange = getattr(request, _SEEN, None)
        if exchange is not None:
            users.see(exchange, request)

    async def _see_view_async(self, request: Any, *_: object) -> None:
        exchange = getattr(request, _SEEN, None)
        if exchange is not None:
            await users.see_async(exchange, request)


class _AsyncStream(Answer):
    """A streaming response of an asynchronous view."""

    # Django takes what has __iter__ for a synchronous one.
    __iter__ = None  # type: ignore[assignment]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            with self._exchange:
                chunk: bytes = await anext(self.body)
        except StopAsyncIteration:
            self.end()
            await self.complete_async()
            raise
        except BaseException as error:
            gone = isinstance(error, asyncio.CancelledError | GeneratorExit)
            self.note_failure(CLIENT_GONE if gone else error)
            await self.record_async()
            raise
        if self.completes(chunk):
            await self.complete_async()
        return chunk


def _when_closed(response: Any, answer: Answer) -> None:
    """Complete an answer when the server closes the response, which is when it has been sent."""
    close = response.close

    def closing() -> None:
        try:
            close()
        finally:
            answer.complete()
            answer.record()

    response.close = closing


# --- What Django knows of a request.


def _see_route(exchange: Exchange, request: Any) -> None:
    match = getattr(request, "resolver_match", None)
    if match is not None:
        exchange.route = template(match.route)
        positional = {str(number): value for number, value in enumerate(match.args)}
        exchange.params = {**positional, **match.kwargs}
        exchange.view = match.func
        if not hasattr(match.func, "__audited__"):
            exchange.audited = exchange.audited or _admin_page(match, request.method)


_ADMIN_ACTIONS: Final = {"add": "create", "change": "write", "delete": "delete"}


def _admin_page(match: Any, method: str) -> Audited | None:
    """Return what a page of Django's admin is about: ``/admin/auth/user/7/delete/`` is ``user/7``.

    The form on each page is sent by POST, and the page's name says what that does.
    """
    model = getattr(getattr(match.func, "model_admin", None), "model", None)
    if model is None:
        return None
    page = str(match.url_name).rpartition("_")[2]
    action = _ADMIN_ACTIONS.get(page) if method == "POST" else None
    return Audited(model._meta.model_name, "object_id", action)


def _is_login_page(path: str) -> bool:
    """Whether people sign in at a path: ``LOGIN_URL``, or a view that is made for it."""
    if path.rstrip("/") == str(resolve_url(settings.LOGIN_URL)).partition("?")[0].rstrip("/"):
        return True
    match = resolve(path)
    if match.url_name == "login":
        return True
    view = getattr(match.func, "view_class", None)
    return view is not None and any(base.__name__ == "LoginView" for base in view.__mro__)
