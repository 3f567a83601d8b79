"""One request and its answer: what is known about it, and what code inside says about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, Final, Protocol

from chained_logging.event.context import restore, share
from chained_logging.event.fields import FIELD_OF
from chained_logging.event.identifiers import as_given
from chained_logging.event.records import pairs
from chained_logging.event.resources import resource
from chained_logging.integrations.courier import Event
from chained_logging.integrations.web.account import Attempt
from chained_logging.integrations.web.people import NOBODY, Person, named

_UNKNOWN: Final = Person(None)
_SAID: Final = ("session_id", "on_behalf_of", "tenant_id")
"""The fields that a dependency's ``context`` gives to the request itself, besides the actor."""


class Mark(Protocol):
    """What a view's mark says, see :func:`~chained_logging.integrations.web.marks.audited`."""

    @property
    def resource_type(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def action(self) -> str | None: ...


class Exchange:
    """One request and its answer, as callables of the configuration see it.

    :ivar native: the ASGI scope, the WSGI environ, or Django's request.
    :ivar method: ``GET``, or ``WEBSOCKET``.
    :ivar path: decoded, as the server gives it.
    :ivar route: the template that matched (``/patients/{id}``), once that is known, or None.
    :ivar params: the parameters in it.
    :ivar view: the function that matched, once that is known.
    :ivar status: of the answer, once that is known.
    :ivar location: where the answer sends the client, if its status does.
    :ivar cause: why the answer is not whole: an exception, a text, or None.
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
        # For the middlewares alone:
        self.began = time.perf_counter()
        self.fields: Event = {}  # what annotate() and set_actor() said
        self.context: Event = {}
        self.depended: list[Mapping[str, Any]] = []  # what dependencies say by context()

    route: str | None = None
    params: Mapping[str, Any] = MappingProxyType({})
    view: Any = None
    status: int | None = None
    location: str | None = None
    cause: str | BaseException | None = None
    address: str | None = None
    # For the middlewares alone; what most requests leave as it is costs them nothing here:
    known: Event  # address, user agent, session
    outer: Mapping[str, Any]  # what held before the request came
    given: Mapping[str, Any] = MappingProxyType({})  # what set_actor() gives them as well
    audited: Mark | None = None
    action: str | None = None  # where it is not that of the method
    result: str | None = None  # where the framework knows better than the status
    attempt: Attempt | None = None  # to sign in
    signed_in = False  # by this request
    look: Callable[[Exchange], Person | None] | None = None  # whom the framework has
    seen: Person | None = None  # whom it had
    before: Person | None = None  # whom it had when somebody else signed in
    named: Person | None = None  # by set_actor() and actor=
    unreadable = False  # whether the framework could not be asked
    actor_failed = False  # whether actor= raised
    done = False
    _tokens: tuple[Token[Any], Token[Any]] | None = None

    def __enter__(self) -> Exchange:
        """Let audit events inside inherit actor, address, session and request id."""
        self._tokens = _exchange.set(self), share(self.inherited, self.depended)
        return self

    def __exit__(self, *_: object) -> None:
        if self._tokens is not None:
            ours, inherited = self._tokens
            restore(inherited)
            _exchange.reset(ours)
            self._tokens = None  # they would keep the context, and so this, in a cycle

    def person(self) -> Person | None:
        """Return who makes the request, as far as it is known by now."""
        if self.named is not None:
            return self.named
        if self.depended and (depended := self._depended_person()) is not None:
            return depended
        if self.look is not None:
            try:
                who = self.look(self)
            except Exception:  # a user who cannot be loaded makes no request fail
                self.unreadable = True
            else:
                if who is not None:
                    self.unreadable = False
                self.see(who)
        return self.seen

    def _depended_person(self) -> Person | None:
        for fields in reversed(self.depended):
            if "actor_id" in fields:
                who = named(fields["actor_id"])
                return who._replace(type=fields.get("actor_type", who.type))
        return None

    def see(self, who: Person | None) -> None:
        """Remember the framework's user: what happens to the user later changes nothing."""
        if who is not None and (who is not NOBODY or self.seen is None):
            self.seen = who

    def inherited(self) -> Event:
        """Return what audit events inside inherit, as it is known when they are logged."""
        who = self.person()
        if who is None and self.status is not None and not self.unreadable:
            who = NOBODY  # it is being answered: nobody signs in any more
        fields = {**self.outer, **self.known, **self.given}
        for block in self.depended:
            fields.update(block)
        fields["request_id"] = self.context["request_id"]
        if who is not None:
            fields.update(who.fields())
        return fields

    def is_nobodys(self) -> bool:
        """Whether nobody is known to make the request."""
        known = self.named or self._depended_person() or self.seen
        return known is None or known is NOBODY

    def said(self) -> Event:
        """Return what the request's own code says about its entry, besides the actor."""
        depended = {name: given[name] for given in self.depended for name in _SAID if name in given}
        return {**depended, **self.fields}

    def actor(self) -> Person:
        """Return the entry's actor: the person, nobody, or unknown if that could not be found
        out."""
        who = self.person()
        if who is not None and who is not NOBODY:
            return who
        if self.unreadable or self.actor_failed:  # which is not the same as nobody
            self.context["actor_failed"] = True
            return _UNKNOWN
        return NOBODY


_exchange: ContextVar[Exchange | None] = ContextVar("chained_logging_exchange", default=None)


def running_exchange() -> Exchange | None:
    """Return the request that this is called in."""
    return _exchange.get()


def active_exchange() -> Exchange | None:
    """Return the request that this is called in, if its entry is not stored yet."""
    exchange = _exchange.get()
    return None if exchange is None or exchange.done else exchange


def set_actor(id: Any, type: str | None = None, **fields: Any) -> bool:
    """Name the person who makes the current request, for its entry and what it logs from now on.

    :param id: the ``actor_id``: text, a number, a UUID, or a user object.
    :param type: ``user``, ``service``, ``admin`` or ``system``; by default what a user object
        says, and ``user`` where it says nothing.
    :param fields: more of them, such as ``session_id``.
    :returns: whether there is such a request. Outside of one nothing happens, so the same code
        works elsewhere.
    """
    exchange = active_exchange()
    if exchange is None:
        return False
    who = named(id)
    exchange.named = who if type is None else who._replace(type=type)
    exchange.fields.update(fields)
    exchange.given = {**exchange.given, **fields}
    return True


def annotate(**fields: Any) -> bool:
    """Give fields to the entry of the current request. They override everything else.

    ``annotate(resource="patient_record/456", reason="break glass")``. ``resources`` takes a list of
    further records, ``tenant`` whose data it is, ``on_behalf_of`` a person. Other names go to its
    ``context``.

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
        kind, id = resource(value)
        return {"resource_type": kind, "resource_id": id}
    name = FIELD_OF.get(name) or name
    if name == "resources":
        try:
            value = pairs(value)
        except Exception:  # no list, which the log marks
            value = as_given(value)
    elif name in ("actor_id", "on_behalf_of") and value is not None:
        value = named(value).id
    return {name: value}
