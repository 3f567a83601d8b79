"""Where people sign in: requests that are sent there, and attempts that fail.

A request that is sent to the login page was denied, although its status only says that it was
redirected. The framework, ``login_url`` or the page's name tells which page that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from chained_logging.integrations.web.account import Attempt
from chained_logging.integrations.web.exchange import Exchange

_PAGES: Final = frozenset(
    {"login", "log-in", "log_in", "logon", "signin", "sign-in", "sign_in", "signon", "sign-on"}
)
_LEAVING: Final = frozenset(
    {"logout", "log-out", "log_out", "logoff", "signout", "sign-out", "sign_out"}
)
_TOKENS: Final = frozenset({"token", "authenticate"})
"""Where programs sign in: nobody is sent there."""


class LoginPages:
    """The pages where people sign in.

    :param urls: their paths, such as ``/login``, or whole URLs where another host has them. By
        default a page whose last part is a name such as ``login`` or ``sign-in`` is one, and so
        is one to which somebody who is not signed in is sent with the way back in its query.
    :param fields: the names of the form field that holds the account.
    :raises ValueError: for what is neither a path nor a URL.
    """

    def __init__(self, urls: str | Iterable[str] | None, fields: str | Iterable[str]) -> None:
        self._paths: set[str] | None = None
        self._elsewhere: list[str] = []
        self._known: Callable[[str], bool] | None = None
        self.fields: Final = (fields,) if isinstance(fields, str) else tuple(fields)
        if urls is None:
            return
        self._paths = set()
        for url in (urls,) if isinstance(urls, str) else urls:
            if url.startswith("/"):
                self._paths.add(_plain(url))
            elif urlsplit(url).netloc:
                self._elsewhere.append(url)
            else:
                raise ValueError(f"login_url must be a path or a URL, not {url!r}")

    def know(self, page: Callable[[str], bool]) -> None:
        """Ask the framework as well whether people sign in at a path."""
        self._known = page

    def has(self, url: str) -> bool:
        """Whether people sign in at a URL, or path."""
        if any(_is_below(url, page) for page in self._elsewhere):
            return True
        try:
            path = urlsplit(url).path
        except ValueError:
            return False
        if self._paths is None:
            named = _name(_plain(path)) in _PAGES
        else:
            named = _plain(path) in self._paths
        return named or (self._known is not None and self._frameworks(path))

    def _frameworks(self, path: str) -> bool:
        try:
            return self._known is not None and self._known(path)
        except Exception:  # it knows no such path
            return False

    def attempt(self, exchange: Exchange) -> Attempt | None:
        """Return the sign-in attempt that a request makes; None if it does not make one."""
        if exchange.method != "POST":
            return None
        if self.has(exchange.path):
            return Attempt(self.fields, certain=True)
        if self._paths is None and _name(_plain(exchange.path)) in _TOKENS:
            return Attempt(self.fields, certain=False)
        return None

    def result(self, exchange: Exchange) -> str | None:
        """Return the result that a redirect means; None if it means only a redirect.

        ``denied`` for one that is sent to where people sign in. It is not ``denied`` if somebody
        signs out, or if the answer to a form leads there without a way back, such as a
        registration.
        """
        if exchange.location is None or exchange.signed_in:
            return None
        try:
            target = urljoin(exchange.path, exchange.location)
            query = urlsplit(target).query
        except ValueError:
            return None
        if not self.has(target):
            # Another name, perhaps: whom nobody knows is sent away, and to come back.
            sent_away = self._paths is None and exchange.is_nobodys()
            return "denied" if sent_away and comes_back(query, exchange.path) else None
        return self._at_a_page(exchange, query)

    def _at_a_page(self, exchange: Exchange, query: str) -> str | None:
        if self.has(exchange.path):  # the form again, or under another name
            return "failure" if exchange.attempt is not None else None
        if exchange.action == "logout" or _name(_plain(exchange.path)) in _LEAVING:
            return None
        if exchange.method in ("GET", "HEAD") or comes_back(query, exchange.path):
            return "denied"
        return None


def comes_back(query: str, path: str) -> bool:
    """Whether a query names the page that somebody was sent away from, such as ``?next=/x``."""
    try:
        values = [value for _, value in parse_qsl(query, max_num_fields=20)]
    except ValueError:
        return False
    return any(is_at(value, path) for value in values)


def is_at(url: str, path: str) -> bool:
    """Whether a URL has this path."""
    try:
        return _plain(urlsplit(url).path) == _plain(path)
    except ValueError:
        return False


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].lower()


def _is_below(url: str, page: str) -> bool:
    return url.startswith(page) and url[len(page) : len(page) + 1] in ("", "/", "?", "#")
