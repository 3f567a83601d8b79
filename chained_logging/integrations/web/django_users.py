"""What Django, and packages built on it, know about the person who makes a request.

The user is looked at when the view begins and when it has answered; in between, signals report
people who sign in, sign out, or delete their own account. Looking leaves no trace: the session does
not count as used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.apps import apps  # type: ignore[import-untyped]
from django.contrib.auth import get_user_model, signals  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.db.models.signals import pre_delete  # type: ignore[import-untyped]

from chained_logging.event.proxies import is_unread, unwrapped
from chained_logging.integrations.web.account import ACCOUNT_FIELDS, account_in
from chained_logging.integrations.web.exchange import Exchange, active_exchange
from chained_logging.integrations.web.headers import digest
from chained_logging.integrations.web.people import NOBODY, Person, person_of

_UID: Final = "chained_logging"


def see(exchange: Exchange, request: Any) -> None:
    """Look at a request's user, with the query that this may need."""
    with _unseen(exchange, request):
        user = unwrapped(getattr(request, "user", None))
        _load_hijacker(exchange, request)
        _note(exchange, request, user)


async def see_async(exchange: Exchange, request: Any) -> None:
    """Like :func:`see`, from an event loop."""
    with _unseen(exchange, request):
        user = getattr(request, "user", None)
        if is_unread(user):
            if _is_own_lazy(user) and hasattr(request, "auser"):
                user = await request.auser()
            else:
                user = await sync_to_async(unwrapped)(user)
        if _hijackers(request):
            await sync_to_async(_load_hijacker)(exchange, request)
        _note(exchange, request, unwrapped(user))


def look(exchange: Exchange) -> Person | None:
    """Return the request's user at this moment, without a query, for what the request logs."""
    user = getattr(exchange.native, "user", None)
    if not is_unread(user):
        _note(exchange, exchange.native, unwrapped(user))
    return exchange.seen


def _is_own_lazy(user: Any) -> bool:
    """Whether a lazy user is that of Django's own middleware, and not that of another."""
    made_by = getattr(user.__dict__.get("_setupfunc"), "__module__", None)
    return bool(made_by == "django.contrib.auth.middleware")


@contextmanager
def _unseen(exchange: Exchange, request: Any) -> Iterator[None]:
    """Look at the session without marking it as used: we cause no ``Vary: Cookie``.

    A user who cannot be loaded makes no request fail: the entry says so.
    """
    session = getattr(request, "session", None)
    accessed = getattr(session, "accessed", None)
    try:
        yield
        exchange.unreadable = False
    except Exception:
        exchange.unreadable = True
    finally:
        if accessed is not None:
            session.accessed = accessed  # type: ignore[union-attr]


def _person(user: Any) -> Person | None:
    """Return a user as a person. Django tells the name, whatever the model calls it."""
    who = person_of(user)
    if who is None or who.name is not None or not hasattr(user, "get_username"):
        return who
    name = str(user.get_username())
    return who if not name or "@" in name or name == who.id else who._replace(name=name)


def _note(exchange: Exchange, request: Any, user: Any) -> None:
    """Remember the request's user, and who really acts."""
    key = getattr(getattr(request, "session", None), "session_key", None)
    if key:
        exchange.known["session_id"] = digest(key)
    who = _person(user)
    if _authenticates_itself(request) and exchange.action != "logout":
        exchange.seen = who or exchange.seen
    elif who is None or who is NOBODY:
        exchange.see(who)
    else:
        exchange.seen = _really(exchange, request, who)


def _hijackers(request: Any) -> list[str]:
    """Return the keys of those who act as another user by django-hijack, the real person first."""
    loaded = getattr(getattr(request, "session", None), "_session_cache", None) or {}
    return list(loaded.get("hijack_history") or ())


def _load_hijacker(exchange: Exchange, request: Any) -> None:
    """Look up a person: the session holds only the key, such as that of an administrator."""
    history = _hijackers(request)
    if history and exchange.before is None:
        found = get_user_model()._default_manager.filter(pk=history[0]).first()
        exchange.before = _person(found)


def _authenticates_itself(request: Any) -> bool:
    """Whether the view is one of REST framework's, which ask for tokens, not for the session."""
    match = getattr(request, "resolver_match", None)
    return hasattr(getattr(getattr(match, "func", None), "cls", None), "authentication_classes")


def _really(exchange: Exchange, request: Any, who: Person) -> Person:
    """Return who really acts if somebody signed in and acts as the request's user."""
    history = _hijackers(request)
    if history:
        real = exchange.before or Person(str(history[0]))
        return real._replace(on_behalf_of=who.id)
    if exchange.signed_in:
        return exchange.seen or who
    before = exchange.seen
    if before is None or before is NOBODY:
        # A middleware that asked for the session's user, and put another one in the request.
        cached = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
        before = _person(cached)
    if before is None or before is NOBODY:
        return who
    return before if before.id == who.id else before._replace(on_behalf_of=who.id)


# --- What signals tell.


def connect() -> None:
    """Listen for people who sign in or out, and for accounts that are deleted."""
    signals.user_logged_in.connect(_logged_in, dispatch_uid=_UID)
    signals.user_logged_out.connect(_logged_out, dispatch_uid=_UID)
    signals.user_login_failed.connect(_login_failed, dispatch_uid=_UID)
    if not apps.is_installed("django.contrib.auth"):
        return
    try:
        pre_delete.connect(_deleting, sender=get_user_model(), dispatch_uid=_UID)
    except ImproperlyConfigured:
        return


def _logged_in(sender: object, request: Any, user: Any, **_: object) -> None:
    exchange = active_exchange()
    if exchange is None:
        return
    if exchange.seen is not NOBODY:
        exchange.before = exchange.seen
    try:
        exchange.seen = _person(user) or exchange.seen
    except Exception:
        exchange.unreadable = True
    if not _comes_along(exchange, request):
        exchange.signed_in = True
        exchange.action, exchange.result = "login", None


def _comes_along(exchange: Exchange, request: Any) -> bool:
    """Whether a request for something else brought its credentials along.

    This is so in a middleware, such as that for ``REMOTE_USER``, and with HTTP's basic
    authentication (RFC 7617). The entry is then about what was requested, and its status is the
    result.
    """
    if getattr(exchange.native if request is None else request, "resolver_match", None) is None:
        return True
    return (exchange.header("authorization") or "")[:6].lower() == "basic "


def _logged_out(sender: object, request: Any, user: Any = None, **_: object) -> None:
    exchange = active_exchange()
    if exchange is None:
        return
    if user is not None and exchange.seen is None:
        with _unseen(exchange, request):
            exchange.see(_person(unwrapped(user)))
    exchange.action = "logout"


def _login_failed(
    sender: object, credentials: Any = None, request: Any = None, **_: object
) -> None:
    """Django answers a login that failed with 200 and the form again."""
    exchange = active_exchange()
    if exchange is None:
        return
    if not _comes_along(exchange, request):
        exchange.action, exchange.result = "login", "failure"
    account = account_in(credentials, (_username_field(), *ACCOUNT_FIELDS))
    if account is not None:
        exchange.context["account"] = account


def refused(exchange: Exchange, request: Any, response: Any) -> None:
    """Note a login that was refused before, or after, its password was looked at."""
    if exchange.attempt is None or exchange.signed_in or exchange.action is not None:
        return
    fields = (_username_field(), *ACCOUNT_FIELDS)
    account = account_in(request.POST, fields) if hasattr(request, "_post") else None
    if account is not None:
        exchange.context["account"] = account
    form = (getattr(response, "context_data", None) or {}).get("form")
    if getattr(form, "_errors", None):  # its property would look at the form once more
        exchange.action, exchange.result = "login", "failure"


def _username_field() -> str:
    try:
        return str(get_user_model().USERNAME_FIELD)
    except (ImproperlyConfigured, AttributeError):
        return "username"


def _deleting(sender: object, **_: object) -> None:
    """Look at the user before they delete their own account."""
    exchange = active_exchange()
    if exchange is not None and not is_unread(getattr(exchange.native, "user", None)):
        see(exchange, exchange.native)
