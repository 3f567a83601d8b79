"""What a middleware was configured with, and what it makes of each request."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from chained_logging.diagnostics import report_once, warn
from chained_logging.errors import FAILURES, LogClosed
from chained_logging.event.clock import uuid7
from chained_logging.event.context import current
from chained_logging.event.entry import InvalidEntry
from chained_logging.event.fields import RESULTS
from chained_logging.event.identifiers import cut
from chained_logging.event.resources import COLLECTION, Resource, resource
from chained_logging.integrations.courier import Courier, Event
from chained_logging.integrations.forwarded import ProxyHeader, TrustedProxies
from chained_logging.integrations.routes import identifier, resource_of
from chained_logging.integrations.stdlib import exception_of
from chained_logging.integrations.web import loops
from chained_logging.integrations.web.account import ACCOUNT_FIELDS
from chained_logging.integrations.web.exchange import Exchange, Mark
from chained_logging.integrations.web.headers import cookie, digest, redirects
from chained_logging.integrations.web.login import LoginPages
from chained_logging.integrations.web.people import named as person_named
from chained_logging.integrations.web.rule import Rule
from chained_logging.log import AuditLog, opened

Mode = Literal["before", "after"]
Actor = Any
"""An id (text, a number, a UUID), ``(id, type)``, a :class:`Person`, a user object, or None."""

MODES: Final = ("before", "after")
_ACTIONS: Final = {
    "GET": "read",
    "HEAD": "read",
    "QUERY": "read",
    "POST": "create",
    "PUT": "write",
    "PATCH": "write",
    "DELETE": "delete",
}
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_MAX_METHOD: Final = 128
_IN_PROCESS: Final = frozenset({"testclient", "<local>"})
"""What test clients (of Starlette and Litestar, of Quart) give in place of an address."""


def result_of(status: int | None) -> str:
    """Return the result that an HTTP status stands for."""
    if status is None:
        return "failure"
    if status < 400:
        return "success"
    return "denied" if status in (401, 403) else "failure"


def action_of(method: str) -> str:
    """Return the action that an HTTP method stands for; an uncommon one stands for its name."""
    return _ACTIONS.get(method) or cut(method.lower(), _MAX_METHOD) or "unknown"


class Auditor:
    """What a middleware was configured with.

    :param log: an open :class:`AuditLog`, or a path; `options` are then those of
        :class:`AuditLog`.
    :param mode: ``"before"``: the entry is stored, as durable as the log promises, before the
        last byte of the answer is sent. ``"after"``: once it was sent.
    :param exclude: paths that are left out. One that ends with a slash stands for all below it.
    :param rule: which requests count: a callable that takes the event and returns whether it
        does, or lines for :class:`Rule`. By default all.
    :param resource: a callable that takes the :class:`Exchange` and returns ``"type/id"``,
        ``(type, id)``, or None to use the route.
    :param actor: a callable that takes the :class:`Exchange` and returns an id (text, a number, a
        UUID), ``(id, type)``, a user object, or None. It is called when the request arrives, and
        again when the request is answered if it returned None or raised.
    :param result: a callable that takes the :class:`Exchange` and returns ``success``,
        ``failure``, ``denied``, or None to use the status.
    :param login_url: the pages where people sign in, see :class:`LoginPages`: a request that is
        sent there was denied, and a POST to it is an attempt to sign in.
    :param login_field: the field of its form that names the account: one name, or several.
    :param redact: a callable that takes the event, as a dict, and returns it without what must not
        be stored. By default only the log's own redaction applies. Query strings are recorded as
        the method ``url`` of this callable, or of the log's, returns them; without such a method
        they are not recorded.
    :param trusted_proxies: networks, see :class:`TrustedProxies`.
    :param proxy_header: the header that these write.
    :param request_id_header: the header with a request's id, which is used if it has at most 128
        visible ASCII characters. None: every request gets a new one.
    :param session_cookie: the name of a cookie whose SHA-256 becomes the ``session_id``. The
        value itself would let a reader of the log take the session over.
    :raises OSError: if the log cannot be opened; also LogError.
    :raises ValueError: if a parameter has an invalid value.
    """

    def __init__(
        self,
        log: AuditLog | str | os.PathLike[str],
        *,
        mode: Mode = "before",
        exclude: Iterable[str] = ("/health",),
        rule: Callable[[Mapping[str, Any]], bool] | Iterable[str] | None = None,
        resource: Callable[[Exchange], Any] | None = None,
        actor: Callable[[Exchange], Actor] | None = None,
        result: Callable[[Exchange], str | None] | None = None,
        login_url: str | Iterable[str] | None = None,
        login_field: str | Iterable[str] = ACCOUNT_FIELDS,
        redact: Callable[[Event], Mapping[str, Any]] | None = None,
        trusted_proxies: Iterable[str] = (),
        proxy_header: ProxyHeader = "x-forwarded-for",
        request_id_header: str | None = "x-request-id",
        session_cookie: str | None = None,
        **options: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode must be 'before' or 'after', not {mode!r}")
        if isinstance(exclude, str):
            raise ValueError(f"exclude must be a list of paths, such as [{exclude!r}]")
        paths = list(exclude)
        self.mode: Final = mode
        self._exact = frozenset(path for path in paths if not path.endswith("/"))
        self._below = tuple(path for path in paths if path.endswith("/"))
        self._rule = rule if rule is None or callable(rule) else Rule(rule)
        self._resource = resource
        self._actor = actor
        self._result = result
        self.login: Final = LoginPages(login_url, login_field)
        self._redact = redact
        self._proxies = TrustedProxies(trusted_proxies, proxy_header)
        self._request_id_header = request_id_header.lower() if request_id_header else None
        self._session_cookie = session_cookie
        self.log: Final = opened(log, **options)
        redactor = self.log.redact if redact is None else redact
        self._url: Callable[[str], str] | None = getattr(redactor, "url", None)
        # A write into the page cache takes microseconds. A database syncs now and then by itself.
        quick = self.log.durability == "os" and self.log.path.suffix in (".jsonl", ".ndjson")
        self.quick: Final = quick
        self.courier: Final = Courier(self._store_all, quick)

    # --- A request comes.

    def begin(
        self,
        native: Any,
        method: str,
        path: str,
        peer: str | None,
        header: Callable[[str], str | None],
        query: str = "",
    ) -> Exchange | None:
        """Return what is known of a request when it arrives; None if it is excluded.

        :param peer: the address that opened the connection.
        """
        if path in self._exact or (
            self._below and path.startswith(self._below) and _is_plain(path)
        ):
            return None
        exchange = Exchange(native, method, path, header)
        if peer in _IN_PROCESS:
            exchange.context["client"] = peer
            peer = "127.0.0.1"
        client = self._proxies.client(peer, header(self._proxies.header) if self._proxies else None)
        exchange.address = client.address
        if client.note is not None:
            exchange.context["forwarded_for"] = client.note
        if query and self._url is not None:
            exchange.context["query"] = cut(self._url(query))
        id = header(self._request_id_header) if self._request_id_header else None
        if id is None or not _REQUEST_ID.fullmatch(id):
            id = uuid7(time.time_ns())
        exchange.context["request_id"] = id
        known: Event = {"ip_address": client.address}
        agent = header("user-agent")
        if agent:
            known["user_agent"] = cut(agent.replace("\0", "\\x00"))
        if self._session_cookie is not None:
            session = cookie(header("cookie"), self._session_cookie)
            if session:
                known["session_id"] = digest(session)
        exchange.known = known
        exchange.outer = outer = current()
        if "trace_id" in outer:
            known["trace_id"] = outer["trace_id"]
        if method == "POST":
            exchange.attempt = self.login.attempt(exchange)
        if self._actor is not None:
            self._ask_actor(self._actor, exchange)  # a failure now may be one of its being early
        return exchange

    def _ask_actor(
        self, actor: Callable[[Exchange], Actor], exchange: Exchange
    ) -> Exception | None:
        """Ask the user's callable, unless it is known; return what it raised."""
        if exchange.named is None:
            try:
                who = actor(exchange)
            except Exception as error:
                return error
            if who is not None:
                exchange.named = person_named(who)
        return None

    # --- It is answered.

    def event(self, exchange: Exchange) -> Event | None:
        """Return the event that a request makes, or None if the rule leaves it out."""
        if self._actor is not None:
            error = self._ask_actor(self._actor, exchange)
            if error is not None:
                exchange.actor_failed = True
                self.complain("actor", error, exchange)
        who = exchange.actor()
        if exchange.attempt is not None:
            self._note_attempt(exchange)
        marked = exchange.audited or getattr(exchange.view, "__audited__", None)
        kind, id = self._resource_of(exchange, marked)
        event: Event = {
            **exchange.known,
            "actor_id": who.id,
            "actor_type": who.type,
            "action": (marked and marked.action) or exchange.action or action_of(exchange.method),
            "resource_type": kind,
            "resource_id": id,
            "result": self._result_of(exchange),
            "duration_ms": round((time.perf_counter() - exchange.began) * 1000),
            "method": cut(exchange.method, _MAX_METHOD),
            **exchange.context,
        }
        if who.name is not None:
            event["actor_name"] = who.name
        if who.on_behalf_of is not None:
            event["on_behalf_of"] = who.on_behalf_of
        if exchange.status is not None:
            event["http_status"] = exchange.status
        if exchange.route is not None:
            event["route"] = cut(exchange.route)
            params = exchange.params
            if len(params) > 1 or (params and id == COLLECTION):
                event["params"] = {name: identifier(value) for name, value in params.items()}
        if exchange.cause is not None:
            key = "cause" if isinstance(exchange.cause, str) else "exception"
            event[key] = exception_of(exchange.cause) or exchange.cause
        if exchange.fields or exchange.depended:
            event.update(exchange.said())
            if exchange.cause is not None and event["result"] == "success":
                event["result"] = "failure"  # it was said before the answer broke
        if self._rule is None and self._redact is None:
            return event
        return self._cleared(event, exchange)

    def _cleared(self, event: Event, exchange: Exchange) -> Event | None:
        """Return the event if it counts, without what must not be stored."""
        if self._rule is not None:
            try:
                if not self._rule(event):
                    return None
            except Exception as error:
                self.complain("rule", error, exchange)
                event["rule_failed"] = True
        if self._redact is None:
            return event
        try:
            return dict(self._redact(event))
        except Exception as error:  # nothing goes into the log that nobody has looked through
            self.complain("redact", error, exchange)
            kept = {name: event[name] for name in _STRUCTURE if name in event}
            return {**kept, "redaction_failed": True}

    def _note_attempt(self, exchange: Exchange) -> None:
        """Record a failed attempt to sign in, and which account was tried."""
        attempt = exchange.attempt
        assert attempt is not None  # noqa: S101
        account = None
        if exchange.named is None and not exchange.signed_in:
            account = attempt.account(exchange.header("content-type"))
            if account is not None:
                exchange.context.setdefault("account", account)
        if exchange.action is None and (attempt.certain or account is not None):
            exchange.action = "login"

    def _result_of(self, exchange: Exchange) -> str:
        if self._result is not None:
            try:
                result = self._result(exchange)
                if result is not None and result not in RESULTS:
                    raise ValueError("it returned no result")
            except Exception as error:
                self.complain("result", error, exchange)
            else:
                if result is not None:
                    return result
        if exchange.cause is not None:
            return "failure"
        if exchange.result is not None:
            return exchange.result
        sent_away = self.login.result(exchange) if redirects(exchange.status) else None
        return sent_away or result_of(exchange.status)

    def _resource_of(self, exchange: Exchange, marked: Mark | None) -> tuple[Any, Any]:
        if self._resource is not None:
            try:
                named = self._resource(exchange)
                if named is not None:
                    return resource(named)
            except Exception as error:
                self.complain("resource", error, exchange)
        if marked is not None:
            value = exchange.params.get(marked.id) if marked.id else None
            return Resource(
                marked.resource_type, COLLECTION if value is None else identifier(value)
            )
        return resource_of(exchange.route, exchange.params, exchange.path)

    def complain(self, name: str, error: Exception, exchange: Exchange) -> None:
        """Report that a callable of the user's failed, in the entry too, and go on without it."""
        exchange.context[f"{name}_failed"] = True
        kind = type(error).__name__
        text = f"audit log: {name} raised {kind}"
        warn(text, stacklevel=2)
        report_once(f"{name} raised {kind}", logging.WARNING, text)

    # --- It is stored.

    def store(self, event: Event) -> None:
        """Store an event, as durably as the log promises.

        :raises OSError: if it could not be, with ``on_failure="raise"``; also LogError.
        :raises LogClosed: if the log is closed.
        :raises InvalidEntry: if the log is strict and the event is not complete.
        """
        try:
            self.log.record(event)
        except LogClosed:
            raise
        except FAILURES as error:
            if self.log.on_failure == "raise":
                raise
            warn(f"audit log: {error}", stacklevel=2)

    async def store_async(self, event: Event) -> None:
        """Store an event without blocking the event loop by a sync.

        If this is cancelled, the event is still stored.

        :raises: as :meth:`store`.
        """
        if not loops.is_asyncio():
            await self._store_in_trio(event)
            return
        try:
            await self.courier.send(event)
        except asyncio.CancelledError:
            self.courier.hurry()
            raise

    async def _store_in_trio(self, event: Event) -> None:
        outcomes: list[BaseException | None] = []

        def store() -> None:
            outcomes.extend(self._store_all([event]))

        if self.quick:
            store()
        else:
            await loops.in_thread(store)
        if outcomes[0] is not None:
            raise outcomes[0]

    def _store_all(self, events: Sequence[Event]) -> list[BaseException | None]:
        try:
            self.log.append_many(events)
            return [None] * len(events)
        except InvalidEntry as error:  # of a strict log: one is refused, and not the others
            if len(events) == 1:
                return [error]
            return [outcome for event in events for outcome in self._store_all([event])]
        except Exception as error:
            return [_again(error) for _ in events]

    def drain(self) -> None:
        """Return once everything is stored and on the disk.

        :raises OSError: if the disk refuses; also LogError.
        """
        self.courier.drain()
        self.log.flush()


def _again(error: Exception) -> Exception:
    """Return a copy of an exception, since everyone who gets it adds to its traceback."""
    try:
        copy: Exception = type(error)(*error.args)
    except TypeError:
        return error
    copy.__cause__ = error
    return copy


_STRUCTURE: Final = frozenset(
    {
        *("action", "actor_id", "actor_type", "ip_address", "resource_type", "result"),
        *("duration_ms", "http_status", "method", "request_id", "route"),
    }
)


def _is_plain(path: str) -> bool:
    """Whether every router understands a path in the same way: it needs no normalising."""
    return "//" not in path and "/." not in path and "\\" not in path
