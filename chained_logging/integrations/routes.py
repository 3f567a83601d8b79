"""From a route's template to a resource: ``/patients/{id}`` with 456 is ``patients/456``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from chained_logging.event.fields import shows
from chained_logging.event.identifiers import cut
from chained_logging.event.resources import COLLECTION, Resource

# {id}, {id:int}, {id:path} of Starlette and Litestar; <id>, <int:id> of Flask and Django.
_PARAMETER = re.compile(
    r"\{(?P<brace>\w+)(?::[^{}]*)?\}|<(?:(?:[^<>:]+):)?(?P<angle>[A-Za-z_]\w*)>"
)
_NAMES = re.compile(r"\{(\w+)\}")
_GROUP = re.compile(r"\(\?P<(\w+)>|\(\?:|\(")


@lru_cache(maxsize=4096)  # by route, of which an application has hundreds
def template(route: str) -> str:
    """Return a framework's route in one form: a leading slash, parameters as ``{name}``."""
    # Django takes the ^ from a re_path that is included by a path, as those of REST framework are.
    if "(" in route or "^" in route or route.endswith("$"):
        route = _from_regex(route)
    text = _PARAMETER.sub(lambda m: f"{{{m['brace'] or m['angle']}}}", route)
    return "/" + text.lstrip("/")


def _from_regex(route: str) -> str:
    """Return the template of a Django ``re_path``: each group is a parameter."""
    parts: list[str] = []
    position = unnamed = 0
    while (match := _GROUP.search(route, position)) is not None:
        parts.append(route[position : match.start()])
        position, depth = match.end(), 1
        while depth and position < len(route):
            if route[position] == "\\":
                position += 1
            else:
                depth += {"(": 1, ")": -1}.get(route[position], 0)
            position += 1
        name = match[1]
        if name is None and match[0] == "(":
            name = str(unnamed)
            unnamed += 1
        if name is not None:
            parts.append(f"{{{name}}}")
    return re.sub(r"[\^$?\\]", "", "".join([*parts, route[position:]]))


def resource_of(route: str | None, params: Mapping[str, Any], path: str) -> Resource:
    """Return the resource of a request.

    The last parameter is the ``id``, and the literal before it is the type. Literals after it are
    added to the type: ``/patients/{id}/notes`` is ``patients.notes``. Without a parameter it is the
    last literal, as a whole collection: ``patients/*``. Without a route, and for ``/``, it is
    ``path`` and the path itself.

    :param route: as :func:`template` returns it.
    """
    kind, name = _shape(route) if route is not None else ("", None)
    if not kind:
        return Resource("path", identifier(path))
    if name is None:
        return Resource(kind, COLLECTION)
    return Resource(kind, identifier(params[name]) if name in params else COLLECTION)


@lru_cache(maxsize=4096)
def _shape(route: str) -> tuple[str, str | None]:
    """Return the type, and the name of the parameter that is the id."""
    kind, name = "", None
    tail: list[str] = []
    for segment in filter(None, route.split("/")):
        names = _NAMES.findall(segment)
        if names:
            kind = tail[-1] if tail else kind or names[-1]
            name, tail = names[-1], []
        else:
            tail.append(segment)
    if name is None:
        return (cut(tail[-1]) if tail else ""), None
    return cut(".".join([kind, *tail])), name


def identifier(value: Any) -> str:
    """Return a value of a path as an identifier, with unprintable characters percent-encoded.

    A percent sign is then encoded too, so no two values become one.
    """
    text = str(value)
    if not shows(text):
        text = quote(text, safe="", errors="surrogatepass")
    elif "%" in text or not text.isprintable():
        text = quote(text, safe="/:@!$&'()*+,;= ~", errors="surrogatepass")
    return cut(text) or COLLECTION
