"""From what frameworks and applications call a user to the actor of an entry."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from chained_logging.values import jsonable

_MAX_NAME: Final = 256  # characters


class Person(NamedTuple):
    """Who makes a request.

    :ivar id: the ``actor_id``. What cannot be one is stored as ``unknown`` and marked.
    :ivar type: the ``actor_type``.
    :ivar name: stands beside an id that says nothing to a reader, as ``context.actor_name``.
    :ivar on_behalf_of: whom they act for, such as a user whom they impersonate.
    """

    id: Any
    type: str = "user"
    name: str | None = None
    on_behalf_of: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return what an event has of a person."""
        fields = {"actor_id": self.id, "actor_type": self.type}
        if self.name is not None:
            fields["actor_name"] = self.name
        if self.on_behalf_of is not None:
            fields["on_behalf_of"] = self.on_behalf_of
        return fields


NOBODY: Final = Person("anonymous")
"""A framework says that nobody is signed in, which is more than that nothing is known."""


def person_of(user: Any) -> Person | None:
    """Return who a framework's user object is; None if that says nothing.

    :raises Exception: what its own properties raise.
    """
    if user is None:
        return None
    if isinstance(user, str | int | UUID):
        id = _text(user)
        return None if id is None else Person(id)
    if _says(user, "is_authenticated") is False:
        return NOBODY
    id = identify(user)
    if id is None:
        return None
    return Person(id, _type_of(user), _name_of(user, id))


def named(value: Any) -> Person:
    """Return whom a caller names: an id, ``(id, type)``, or a user object.

    What is none of these stays what it is, so that the log marks it.
    """
    if isinstance(value, Person):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return Person(_identifier(value[0]), value[1])
    if value is None or isinstance(value, str | int | UUID | tuple | list | set | dict):
        return Person(_identifier(value))
    try:
        return person_of(value) or Person(value)
    except Exception:  # an object whose own properties fail
        return Person(value)


def identify(user: Any) -> str | None:
    """Return the identifier of a user object, or of the claims of a token; None if it has none."""
    if _is_mapping(user):
        return next((id for name in _CLAIMS if (id := _text(_item(user, name)))), None)
    key = getattr(getattr(user, "_sa_instance_state", None), "key", None)
    if key:  # of SQLAlchemy's: its attributes may have expired, or the row may be gone
        return ":".join(str(part) for part in key[1])
    for name in _NAMES:
        try:
            value = getattr(user, name, None)
        except NotImplementedError:  # Starlette's BaseUser, where a subclass has no identity
            continue
        if id := _text(value):
            return id
    return None


_CLAIMS: Final = ("sub", "id", "user_id", "uid", "username", "preferred_username")
_NAMES: Final = ("identity", "id", "pk", "user_id", "uuid", "sub", "username", "display_name")
_PEOPLE: Final = ("username", "display_name", "preferred_username", "name", "full_name")
_ADMINS: Final = ("is_staff", "is_superuser", "is_admin")


def _identifier(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else jsonable(value)


def _item(mapping: Any, name: str) -> Any:
    try:
        return mapping[name]
    except (KeyError, IndexError):
        return None


def _text(value: Any) -> str | None:
    if isinstance(value, str | int | UUID) and not isinstance(value, bool):
        return str(value) or None
    return None


def _says(user: Any, name: str) -> Any:
    """Return an attribute, or what it returns where it is a method."""
    value = getattr(user, name, None)
    return value() if callable(value) else value


def _type_of(user: Any) -> str:
    for name in _ADMINS:
        try:
            if _get(user, name) is True:
                return "admin"
        except Exception:  # noqa: S112  what is not loaded says nothing
            continue
    return "user"


def _name_of(user: Any, id: str) -> str | None:
    """Return a name for a person whose id is none."""
    for name in _PEOPLE:
        try:
            value = _get(user, name)
        except Exception:  # noqa: S112  what is not loaded says nothing
            continue
        if isinstance(value, str) and value and value != id:
            return value[:_MAX_NAME]
    return None


def _get(user: Any, name: str) -> Any:
    return _item(user, name) if _is_mapping(user) else getattr(user, name, None)


def _is_mapping(user: Any) -> bool:
    """Whether a user is the claims of a token, or a row of a database (``sqlite3.Row``)."""
    return hasattr(user, "__getitem__") and callable(getattr(user, "keys", None))
