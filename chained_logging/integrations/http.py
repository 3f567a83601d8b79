"""What ASGI, WSGI and Django share: one entry for each request, and what it says.

``docs/web.md`` has the rules. An :class:`Auditor` holds what a middleware was configured with. It
makes an :class:`Exchange` of each request; the middleware tells that what it learns, and has the
entry stored before the last byte of the answer goes out.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar

from chained_logging.context import current, restore, share
from chained_logging.entry import InvalidEntry, uuid7
from chained_logging.handler import exception_of
from chained_logging.integrations.courier import Courier, Event
from chained_logging.integrations.forwarded import ProxyHeader, TrustedProxies
from chained_logging.integrations.routes import COLLECTION, Resource, cut, identifier, resource_of
from chained_logging.log import AuditLog, AuditWarning, LogClosed

Mode = Literal["before", "after"]
Actor = str | tuple[str, str] | None
View = TypeVar("View")

MODES: Final = ("before", "after")
ANONYMOUS: Final = "anonymous"
CLIENT_GONE: Final = "the client was gone"
UNFINISHED: Final = "the answer was not finished"
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


def result_of(status: int | None) -> str:
    """Return the result that an HTTP status stands for."""
    if status in (401, 403):
        return "denied"
    return "success" if status is not None and status < 400 else "failure"


def action_of(method: str) -> str:
    """Return the action that an HTTP method stands for; of an uncommon one its own name."""
    return _ACTIONS.get(method) or cut(method.lower(), _MAX_METHOD) or "unknown"


class Exchange:
    """One request and its answer, as callables of the configuration see it.

    :ivar native: the ASGI scope, the WSGI environ, or Django's request.
    :ivar method: ``GET``, or ``WEBSOCKET``.
    :ivar path: decoded, as the server gives it.
    :ivar route: the template that matched (``/patients/{id}``), once that is known, or None.
    :ivar params: the parameters in it.
    :ivar view: the function that matched, once that is known.
    :ivar status: of the answer, once that is known.
    :ivar address: the client's.
    :ivar header: returns a header's value by its lower-case name, or None; repeated ones are
        joined by commas.
    """

    def __init__(
        self, native: Any, method: str, path: str, header: Callable[[str], str | None]
    ) -> None:
        self.native = native
        self.method = method
        self.path = path
        self.header = header
        self.route: str | None = None
        self.params: Mapping[str, Any] = {}
        self.view: Any = None
        self.status: int | None = None
        self.address: str | None = None
        # For the middlewares alone:
        self.began = time.perf_counter()
        self.fallback: Event = {}  # fields that hold where nothing better is known
        self.fields: Event = {}  # what annotate() and set_actor() said
        self.context: Event = {}
        self.cause: str | BaseException | None = None
        self.audited: Audited | None = None
        self.action: str | None = None  # where it is not that of the method
        self.user: Callable[[Any], str | None] | None = None  # whom the framework signed in
        self.shared: Event = {}
        self.done = False
        self._tokens: tuple[Token[Any], Token[Any]] | None = None

    def __enter__(self) -> Exchange:
        """Let audit events inside inherit actor, address, session and request id."""
        self._tokens = _exchange.set(self), share(_Inherited(self))
        return self

    def __exit__(self, *_: object) -> None:
        if self._tokens is not None:
            ours, inherited = self._tokens
            restore(inherited)
            _exchange.reset(ours)
            self._tokens = None  # they would keep the context, and so this, in a cycle

    def actor_failed(self) -> None:
        """Say that nobody knows who this is, which is not the same as nobody."""
        self.fallback["actor_id"] = None
        self.context["actor_failed"] = True

    def name_actor(self, id: str, type: str) -> None:
        """Say who this is, for this entry and for the events that the request logs."""
        self.fields.update(actor_id=id, actor_type=type)
        self.shared.update(actor_id=id, actor_type=type)


class _Inherited(Mapping[str, Any]):
    """What the audit events of a request inherit from it, as it is known when they are logged."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def _fields(self) -> Event:
        exchange = self._exchange
        if "actor_id" not in exchange.shared and exchange.user is not None:
            who = exchange.user(exchange.native)
            if who is not None:
                exchange.shared.update(actor_id=who, actor_type="user")
        return exchange.shared

    def __getitem__(self, name: str) -> Any:
        return self._fields()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())


_exchange: ContextVar[Exchange | None] = ContextVar("chained_logging_exchange", default=None)


def active_exchange() -> Exchange | None:
    """Return the request that this is called in, if its entry is not stored yet."""
    exchange = _exchange.get()
    return None if exchange is None or exchange.done else exchange


def set_actor(id: str, type: str = "user", **fields: Any) -> bool:
    """Say, from inside a request, who makes it: for its entry, and for what it logs from here on.

    :param id: the ``actor_id``.
    :param type: ``user``, ``service``, ``admin`` or ``system``.
    :param fields: more of them, such as ``session_id``.
    :returns: whether there is such a request. Outside of one nothing happens, so that the same
        code serves elsewhere.
    """
    exchange = active_exchange()
    if exchange is None:
        return False
    exchange.name_actor(id, type)
    exchange.fields.update(fields)
    exchange.shared.update(fields)
    return True


def annotate(**fields: Any) -> bool:
    """Give fields to the entry of the request that this is called in; they win over all else.

    ``annotate(resource="patient_record/456", reason="break glass")``. What an entry has no field
    for goes to its ``context``.

    :returns: whether there is such a request, whose entry is not stored yet.
    """
    exchange = active_exchange()
    if exchange is None:
        return False
    for name, value in fields.items():
        exchange.fields.update(_canonical(name, value))
    return True


def _canonical(name: str, value: Any) -> Event:
    if name == "resource":
        kind, id = _pair(value)
        return {"resource_type": kind, "resource_id": id}
    return {_ALIASES.get(name, name): value}


_ALIASES: Final = {"actor": "actor_id", "user_id": "actor_id", "ip": "ip_address"}


def _pair(value: Any) -> tuple[Any, Any]:
    """Return type and id of ``"patient_record/456"``, of a pair, or of a type alone."""
    if isinstance(value, str):
        kind, slash, id = value.partition("/")
        return kind, (id if slash else COLLECTION)
    kind, id = value
    return kind, id


@dataclass(frozen=True)
class Audited:
    """What :func:`audited` returns."""

    resource_type: str
    id: str | None = None
    action: str | None = None

    def __call__(self, view: View) -> View:
        """Mark a view function. It is not wrapped, and stays what it was."""
        view.__audited__ = self  # type: ignore[attr-defined]
        return view

    async def dependency(self) -> None:
        """Mark the request that this is called in: for FastAPI's ``Depends``."""
        exchange = _exchange.get()
        if exchange is not None:
            exchange.audited = self


def audited(resource_type: str, *, id: str | None = None, action: str | None = None) -> Audited:
    """Name the resource and the action of a view, in place of what its route says.

    A decorator, below that of the route; for FastAPI also a dependency,
    ``Depends(audited("patient_record", id="patient_id").dependency)``. It holds for requests
    that never reach the view, too, such as denied ones.

    :param id: the name of the path parameter that is the resource's id; without it the resource
        is the whole collection, ``*``.
    :param action: instead of the one that the method stands for.

    >>> @app.get("/p/{patient_id}")
    ... @audited("patient_record", id="patient_id", action="read")
    ... def show(patient_id: str): ...
    """
    return Audited(resource_type, id, action)


class Auditor:
    """What a middleware was configured with.

    :param log: an open :class:`AuditLog`, or a path; `options` are then those of
        :class:`AuditLog`.
    :param mode: ``"before"``: the entry is stored, as durable as the log promises, before the
        last byte of the answer goes out. ``"after"``: once it went out.
    :param exclude: paths that are left out. One that ends with a slash stands for all below it.
    :param rule: which requests count: a callable that takes the event and returns whether it
        does, or lines for :class:`Rule`. By default all.
    :param resource: a callable that takes the :class:`Exchange` and returns ``"type/id"``,
        ``(type, id)``, or None for what the route says.
    :param actor: a callable that takes the :class:`Exchange` and returns ``"id"``,
        ``(id, type)``, or None. It is asked when the request comes, and if it says None, again
        when it is answered.
    :param redact: a callable that takes the event, as a dict, and returns it without what must
        not be stored; by default the log's own redaction is all. Query strings are recorded as its
        method ``url``, or that of the log's, returns them; without one they are not recorded.
    :param trusted_proxies: networks, see :class:`TrustedProxies`.
    :param proxy_header: the header that these write.
    :param request_id_header: where a request's id is taken from, if it has one there of at most
        128 visible ASCII characters. None: every request gets a new one.
    :param session_cookie: the name of a cookie whose SHA-256 becomes the ``session_id``. The
        value itself would let a reader of the log take the session over.
    :raises OSError: if the log cannot be opened.
    :raises ValueError: for a parameter that is none of the above.
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
        redact: Callable[[Event], Mapping[str, Any]] | None = None,
        trusted_proxies: Iterable[str] = (),
        proxy_header: ProxyHeader = "x-forwarded-for",
        request_id_header: str | None = "x-request-id",
        session_cookie: str | None = None,
        **options: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is 'before' or 'after', not {mode!r}")
        if isinstance(exclude, str):
            raise ValueError(f"exclude is a list of paths, such as [{exclude!r}]")
        if isinstance(log, AuditLog) and options:
            raise TypeError(f"an open log has its options already: {', '.join(options)}")
        paths = list(exclude)
        self.mode: Final = mode
        self._exact = frozenset(path for path in paths if not path.endswith("/"))
        self._below = tuple(path for path in paths if path.endswith("/"))
        self._rule = rule if rule is None or callable(rule) else Rule(rule)
        self._resource = resource
        self._actor = actor
        self._redact = redact
        self._proxies = TrustedProxies(trusted_proxies, proxy_header)
        self._request_id_header = request_id_header.lower() if request_id_header else None
        self._session_cookie = session_cookie
        self.log: Final = log if isinstance(log, AuditLog) else AuditLog(log, **options)
        redactor = self.log.redact if redact is None else redact
        self._url: Callable[[str], str] | None = getattr(redactor, "url", None)
        # A write into the page cache takes microseconds. A database syncs now and then by itself.
        quick = self.log.durability == "os" and self.log.path.suffix in (".jsonl", ".ndjson")
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
        """Return what is known of a request when it comes, or None if it is left out.

        :param peer: the address of whoever opened the connection.
        """
        if path in self._exact or (
            self._below and path.startswith(self._below) and _is_plain(path)
        ):
            return None
        exchange = Exchange(native, method, path, header)
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
            session = _cookie(header("cookie"), self._session_cookie)
            if session:
                known["session_id"] = digest(session)
        # What is logged inside does not inherit that nobody is signed in: it is too early to know.
        exchange.shared = {**current(), **known, "request_id": id}
        known["actor_id"], known["actor_type"] = ANONYMOUS, "user"
        exchange.fallback = known
        self._ask_actor(exchange)
        return exchange

    def _ask_actor(self, exchange: Exchange) -> None:
        if self._actor is None or "actor_id" in exchange.fields:
            return
        try:
            who = self._actor(exchange)
        except Exception as error:
            exchange.actor_failed()
            self._complain("actor", error, exchange)
            return
        if who is not None:
            exchange.name_actor(*((who, "user") if isinstance(who, str) else who))

    # --- It is answered.

    def event(self, exchange: Exchange) -> Event | None:
        """Return the event that a request makes, or None if the rule leaves it out."""
        self._ask_actor(exchange)
        who = exchange.user(exchange.native) if exchange.user is not None else None
        if who is not None:
            exchange.fallback["actor_id"] = who
        status = exchange.status
        marked = exchange.audited or getattr(exchange.view, "__audited__", None)
        kind, id = self._resource_of(exchange, marked)
        event: Event = {
            **exchange.fallback,
            "action": (marked and marked.action) or exchange.action or action_of(exchange.method),
            "resource_type": kind,
            "resource_id": id,
            "result": result_of(status) if exchange.cause is None else "failure",
            "duration_ms": round((time.perf_counter() - exchange.began) * 1000),
            "method": cut(exchange.method, _MAX_METHOD),
            **exchange.context,
        }
        if status is not None:
            event["http_status"] = status
        if exchange.route is not None:
            event["route"] = cut(exchange.route)
            params = exchange.params
            if len(params) > 1 or (params and id == COLLECTION):
                event["params"] = {name: identifier(value) for name, value in params.items()}
        if exchange.cause is not None:
            key = "cause" if isinstance(exchange.cause, str) else "exception"
            event[key] = exception_of(exchange.cause) or exchange.cause
        event.update(exchange.fields)
        if self._rule is not None:
            try:
                if not self._rule(event):
                    return None
            except Exception as error:
                self._complain("rule", error, exchange)
                event["rule_failed"] = True
        if self._redact is None:
            return event
        try:
            return dict(self._redact(event))
        except Exception as error:  # nothing goes into the log that nobody has looked through
            self._complain("redact", error, exchange)
            kept = {name: event[name] for name in _STRUCTURE if name in event}
            return {**kept, "redaction_failed": True}

    def _resource_of(self, exchange: Exchange, marked: Audited | None) -> tuple[Any, Any]:
        if self._resource is not None:
            try:
                named = self._resource(exchange)
                if named is not None:
                    return _pair(named)
            except Exception as error:
                self._complain("resource", error, exchange)
        if marked is not None:
            value = exchange.params.get(marked.id) if marked.id else None
            return Resource(
                marked.resource_type, COLLECTION if value is None else identifier(value)
            )
        return resource_of(exchange.route, exchange.params, exchange.path)

    def _complain(self, name: str, error: Exception, exchange: Exchange) -> None:
        """A callable of the user's failed: say so, in the entry too, and do without it."""
        exchange.context[f"{name}_failed"] = True
        warnings.warn(
            f"audit log: {name} raised {type(error).__name__}", AuditWarning, stacklevel=2
        )

    # --- It is stored.

    def store(self, event: Event) -> None:
        """Store an event, as durable as the log promises.

        :raises OSError: if it could not be, with ``on_failure="raise"`` or a closed log.
        :raises InvalidEntry: if the log is strict and the event is not complete.
        """
        try:
            self.log.record(event)
        except LogClosed:
            raise
        except OSError as error:
            if self.log.on_failure == "raise":
                raise
            warnings.warn(f"audit log: {error}", AuditWarning, stacklevel=2)

    async def store_async(self, event: Event) -> None:
        """Store an event without blocking the event loop by a sync.

        If this is cancelled, the event is stored all the same.

        :raises: as :meth:`store`.
        """
        try:
            await self.courier.send(event)
        except asyncio.CancelledError:
            self.courier.hurry()
            raise

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

        :raises OSError: if the disk refuses.
        """
        self.courier.drain()
        self.log.flush()


def _again(error: Exception) -> Exception:
    """Return an exception once more, since each who gets it adds to its traceback."""
    try:
        copy: Exception = type(error)(*error.args)
    except TypeError:
        return error
    copy.__cause__ = error
    return copy


class Answer(Iterator[bytes]):
    """The body of a response on its way out, counted.

    The client has the whole answer with the chunk that reaches Content-Length, or, without one,
    at the end.

    :ivar body: what the application returned.
    """

    def __init__(
        self, auditor: Auditor, exchange: Exchange, body: Any = (), length: int | None = None
    ) -> None:
        self.body = body
        self.length = length
        self._auditor = auditor
        self._exchange = exchange
        self._chunks: Iterator[bytes] | None = None
        self._sent = 0
        self._whole = False

    def __next__(self) -> bytes:
        try:
            with self._exchange:
                if self._chunks is None:
                    self._chunks = iter(self.body)
                chunk = next(self._chunks)
        except StopIteration:
            self.end()
            self.complete()
            raise
        except BaseException as error:
            self.note_failure(error)
            self.record()
            raise
        if self.completes(chunk):
            self.complete()
        return chunk

    def close(self) -> None:
        """Close the application's iterable: the server is done with this response."""
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                with self._exchange:
                    close()
        finally:
            self.note_failure(CLIENT_GONE)
            self.record()

    def completes(self, data: bytes) -> bool:
        """Whether the client has the whole answer with this."""
        exchange = self._exchange
        if exchange.status is None:
            return False
        self._sent += len(data)
        return has_no_body(exchange.method, exchange.status, self.length) or (
            self.length is not None and self._sent >= self.length
        )

    def end(self) -> None:
        """Note it if the application returned less than it announced."""
        if self.length is not None and not self.completes(b""):
            self.note_failure(UNFINISHED)

    def complete(self) -> None:
        """The client has the whole answer with what is sent next."""
        self._whole = True
        if self._auditor.mode == "before":
            self.record()

    async def complete_async(self) -> None:
        """Like :meth:`complete`, without blocking the event loop by a sync."""
        self._whole = True
        if self._auditor.mode == "before":
            await self.record_async()

    def note_failure(self, cause: str | BaseException) -> None:
        """Note why the answer is not whole, unless it is."""
        exchange = self._exchange
        if exchange.cause is None and not self._whole:
            exchange.cause = cause
            if exchange.status is None and isinstance(cause, BaseException):
                exchange.status = 500  # which is what the server answers

    def record(self) -> None:
        """Store the entry, once.

        :raises: as :meth:`Auditor.store`.
        """
        event = self._take_event()
        if event is not None:
            self._auditor.store(event)

    async def record_async(self) -> None:
        """Like :meth:`record`, without blocking the event loop by a sync."""
        event = self._take_event()
        if event is not None:
            await self._auditor.store_async(event)

    def _take_event(self) -> Event | None:
        if self._exchange.done:
            return None
        self._exchange.done = True
        return self._auditor.event(self._exchange)


_STRUCTURE: Final = frozenset(
    {
        *("action", "actor_id", "actor_type", "ip_address", "resource_type", "result"),
        *("duration_ms", "http_status", "method", "request_id", "route"),
    }
)


class Rule:
    """Which requests count, as lines: ``-read static``, ``read patient*``.

    A line is an action and a resource type, both of which may hold ``*``; a leading minus leaves
    out what matches. The first line that matches decides; what none matches counts. What was
    denied or failed always counts.

    :raises ValueError: for a line that is not of this form.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        if isinstance(lines, str):
            raise ValueError(f"rule is a list of lines, such as [{lines!r}]")
        self._lines: list[tuple[bool, str, str]] = []
        for line in lines:
            words = line.removeprefix("-").split()
            if len(words) != 2:
                raise ValueError(f"a rule is an action and a resource type, not {line!r}")
            self._lines.append((not line.startswith("-"), words[0], words[1]))

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Whether this event is recorded."""
        if event["result"] != "success":
            return True
        for counts, action, kind in self._lines:
            if fnmatchcase(str(event["action"]), action) and fnmatchcase(
                str(event["resource_type"]), kind
            ):
                return counts
        return True


def digest(secret: str) -> str:
    """Return what stands in the log for a value that nobody may use, such as a session's key."""
    return f"sha256:{sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def header_text(value: bytes) -> str:
    """Return a header's bytes as text; what is no UTF-8 as escapes (``\\xff``)."""
    return value.decode("utf-8", "backslashreplace")


def environ_header(environ: Mapping[str, Any]) -> Callable[[str], str | None]:
    """Return a reader of headers in a WSGI environ, or in Django's ``META``."""

    def header(name: str) -> str | None:
        value = environ.get("HTTP_" + name.upper().replace("-", "_"))
        return header_text(str(value).encode("latin-1", "replace")) if value is not None else None

    return header


def content_length(headers: Iterable[tuple[Any, Any]]) -> int | None:
    """Return the Content-Length among headers, of text or bytes."""
    for name, value in headers:
        if len(name) == 14 and name.lower() in ("content-length", b"content-length"):
            try:
                return int(value)
            except ValueError:
                return None
    return None


def has_no_body(method: str, status: int | None, length: int | None) -> bool:
    """Whether the client has the whole answer with its head."""
    return method == "HEAD" or status in (204, 304) or length == 0


def person(user: Any) -> str | None:
    """Return the id of a framework's user object, or None if it is nobody's."""
    if user is None or getattr(user, "is_authenticated", True) is False:
        return None
    if isinstance(user, str):
        return user or None
    for name in ("identity", "id", "pk", "username", "display_name"):
        try:
            value = getattr(user, name, None)
        except NotImplementedError:  # Starlette's BaseUser, where a subclass has no identity
            continue
        if value is not None and value != "":
            return str(value)
    return None


def _is_plain(path: str) -> bool:
    """Whether a path cannot mean another one to whoever routes it."""
    return "//" not in path and "/." not in path and "\\" not in path


def _cookie(header: str | None, name: str) -> str | None:
    for pair in (header or "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return None
