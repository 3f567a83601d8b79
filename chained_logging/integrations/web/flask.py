"""What Flask knows about a request, and Flask-Login about the person who makes it.

Flask is looked at while it starts its response: its context is still active, and the view has
finished. Its signals report what happens before, such as a logout.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from chained_logging.integrations.routes import template
from chained_logging.integrations.web.account import account_in
from chained_logging.integrations.web.exchange import Exchange, active_exchange
from chained_logging.integrations.web.headers import redirects
from chained_logging.integrations.web.login import is_at
from chained_logging.integrations.web.people import NOBODY, Person, person_of

_USERS: Final = ("user", "current_user", "flask_httpauth_user", "_jwt_extended_jwt")
"""Where applications without Flask-Login keep the signed-in user, in ``flask.g``: Flask's own
tutorial, Flask-HTTPAuth, Flask-JWT-Extended."""

_listening: set[str] = set()


def started(exchange: Exchange) -> None:
    """Take what Flask knows, as it starts its response."""
    request = exchange.native.get("werkzeug.request")
    flask: Any = sys.modules.get("flask")
    if request is None or flask is None or not _is_current(flask, exchange):
        return
    rule = request.url_rule
    if rule is not None:
        exchange.route = template(exchange.native.get("SCRIPT_NAME", "") + rule.rule)
        exchange.params = request.view_args or {}
        exchange.view = flask.current_app.view_functions.get(rule.endpoint)
    exchange.person()
    _note_login(exchange, request, getattr(flask.current_app, "login_manager", None))


def _is_current(flask: Any, exchange: Exchange) -> bool:
    return bool(flask.has_request_context()) and flask.request.environ is exchange.native


# --- Who makes the request.


def look(exchange: Exchange) -> Person | None:
    """Return the application's user; None if it does not tell, or does not use Flask."""
    flask: Any = sys.modules.get("flask")
    if flask is None or not _is_current(flask, exchange):
        return None
    if "flask_login" in sys.modules and hasattr(flask.current_app, "login_manager"):
        who = _current_user(flask, exchange)
        if who is not None and who is not NOBODY:
            return who
    else:
        who = None
    for name in _USERS:
        found = person_of(flask.g.get(name))
        if found is not None:
            return found
    return who


def _current_user(flask: Any, exchange: Exchange) -> Person | None:
    """Return Flask-Login's user, loaded now if the view did not ask for it."""
    if "_login_user" not in flask.g and _is_loading(exchange):
        return None  # the user's own loader logs something
    return _person(sys.modules["flask_login"].current_user._get_current_object())


def _person(user: Any) -> Person | None:
    who = person_of(user)
    if who is None and user is not None:  # it has an id that only Flask-Login knows
        return person_of(user.get_id())
    return who


def _is_loading(exchange: Exchange) -> bool:
    return "loading" in exchange.native.get(_KEPT, ())


_KEPT: Final = "chained_logging.flask"


# --- What its signals tell.


def listen() -> None:
    """Connect to the signals of Flask, and of Flask-Login, once they are imported."""
    if "flask" in sys.modules and "flask" not in _listening:
        _listening.add("flask")
        sys.modules["flask"].got_request_exception.connect(_raised)
    login: Any = sys.modules.get("flask_login")
    if login is not None and "flask_login" not in _listening and hasattr(login, "user_logged_in"):
        _listening.add("flask_login")
        login.user_accessed.connect(_loading)
        login.user_logged_in.connect(_logged_in)
        login.user_logged_out.connect(_logged_out)
        login.user_unauthorized.connect(_denied)
        login.user_needs_refresh.connect(_denied)


def _raised(sender: object, exception: BaseException, **_: object) -> None:
    """Note what a view raised: Flask turns it into a response before anybody outside sees it."""
    exchange = active_exchange()
    if exchange is not None:
        exchange.person()
        exchange.native[_KEPT] = {**_kept(exchange), "raised": exception}


def _loading(sender: object, **_: object) -> None:
    exchange = active_exchange()
    if exchange is not None:
        exchange.native[_KEPT] = {**_kept(exchange), "loading": True}


def _logged_in(sender: object, user: Any = None, **_: object) -> None:
    exchange = active_exchange()
    if exchange is not None:
        exchange.seen = _person(user) or exchange.seen
        exchange.signed_in = True
        exchange.action, exchange.result = "login", None


def _logged_out(sender: object, user: Any = None, **_: object) -> None:
    exchange = active_exchange()
    if exchange is not None:
        exchange.see(_person(user))
        exchange.action = "logout"


def _denied(sender: object, **_: object) -> None:
    exchange = active_exchange()
    if exchange is not None:
        exchange.result = "denied"


def _kept(exchange: Exchange) -> dict[str, Any]:
    kept: dict[str, Any] = exchange.native.get(_KEPT, {})
    return kept


# --- What its response tells.


def _note_login(exchange: Exchange, request: Any, manager: Any) -> None:
    """Report a failed login, which Flask-Login does not: nobody signed in on the login page."""
    raised = _kept(exchange).get("raised")
    if raised is not None and (exchange.status or 0) >= 500:
        exchange.cause = raised
    if request.method != "POST" or exchange.signed_in:
        return
    is_page = _is_login_view(request, manager)
    if exchange.attempt is None and not is_page:
        return
    account = account_in(_form(request))
    if account is not None:
        exchange.context["account"] = account
    if not is_page or exchange.action is not None:
        return
    status = exchange.status or 0
    again = redirects(status) and is_at(exchange.location or "", exchange.path)
    if again or not redirects(status):
        exchange.action = "login"
        if status not in (401, 403):
            exchange.result = "failure"


def _is_login_view(request: Any, manager: Any) -> bool:
    views = {getattr(manager, "login_view", None)}
    views.update((getattr(manager, "blueprint_login_views", None) or {}).values())
    return request.endpoint in views or request.path in views


def _form(request: Any) -> Any:
    """Return the form's fields if the view has read them."""
    form = request.__dict__.get("form")
    if form:
        return form
    return request.get_json(silent=True) if request.__dict__.get("_cached_json") else None
