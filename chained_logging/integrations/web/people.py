"""Turns what frameworks and applications call a user into the actor of an entry."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from chained_logging.event.identifiers import ANONYMOUS, as_given, identifier, person_name
from chained_logging.event.proxies import unwrapped


class Person(NamedTuple):
    """The person who makes a request.

    :ivar id: the ``actor_id``. An invalid one is stored as ``unknown`` and marked.
    :ivar type: the ``actor_type``.
    :ivar name: stored as ``context.actor_name``, for readers to whom the id means nothing. It is
        never an e-mail address.
    :ivar on_behalf_of: whom they act for, such as a user whom they impersonate.
    """

    id: Any
    type: str = "user"
    name: str | None = None
    on_behalf_of: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return a person's fields of an event."""
        fields = {"actor_id": self.id, "actor_type": self.type}
        if self.name is not None:
            fields["actor_name"] = self.name
        if self.on_behalf_of is not None:
            fields["on_behalf_of"] = self.on_behalf_of
        return fields


NOBODY: Final = Person(ANONYMOUS)
"""A framework's answer that nobody is signed in. That is not the same as no answer."""


def person_of(user: Any) -> Person | None:
    """Return a framework's user object as a person; None if it does not identify one.

    :raises Exception: what its own properties raise.
    """
    if user is None:
        return None
    if type(user) in (str, int, UUID):
        return Person(str(user)) if user != "" else None
    user = unwrapped(user)
    if _says(user, "is_authenticated") is False:
        return NOBODY
    if _is_mapping(user):
        id = next((id for name in _CLAIMS if (id := _claim(user, name))), None)
    else:
        id = _identifier(user)
    if id is None:
        return None
    return Person(id, _type_of(user), _name_of(user, id))


def named(value: Any) -> Person:
    """Return the person that a caller names: by id, by ``(id, type)``, or by a user object.

    Anything else is passed on unchanged, so that the log marks it as invalid.
    """
    if isinstance(value, Person):
        return value
    type = "user"
    if isinstance(value, tuple) and len(value) == 2:
        value, type = value
    try:
        value = unwrapped(value)
        id = identifier(value)
    except Exception:  # nothing names it, or its own properties fail
        return Person(as_given(value), type)
    if type == "user":
        type = _type_of(value)
    return Person(id, type, _name_of(value, id))


_CLAIMS: Final = ("sub", "id", "user_id", "uid", "username", "preferred_username")
_ADMINS: Final = ("is_staff", "is_superuser", "is_admin")


def _identifier(user: Any) -> str | None:
    try:
        return identifier(user)
    except ValueError:
        name = getattr(user, "display_name", None)  # Starlette's users have no more than that
        return name if isinstance(name, str) and name else None


def _says(user: Any, name: str) -> Any:
    """Return an attribute, or its result if it is a method."""
    value = getattr(user, name, None)
    return value() if callable(value) else value


def _is_mapping(user: Any) -> bool:
    """Whether a user is the claims of a token, or a row of a database (``sqlite3.Row``)."""
    return hasattr(user, "__getitem__") and callable(getattr(user, "keys", None))


def _claim(claims: Any, name: str) -> str | None:
    value = _get(claims, name)
    return identifier(value) if type(value) in (str, int, UUID) and value != "" else None


def _type_of(user: Any) -> str:
    return "admin" if any(_get(user, name) is True for name in _ADMINS) else "user"


def _name_of(user: Any, id: str) -> str | None:
    return None if _is_mapping(user) else person_name(user, id)


def _get(user: Any, name: str) -> Any:
    try:
        return user[name] if _is_mapping(user) else getattr(user, name, None)
    except Exception:  # what is not there, or not loaded, says nothing
        return None
