"""From what code calls a record to its type and its id, as somebody would search for them.

``docs/values.md`` has the table. Where an address of the record is given (a URL, an
ARN, a path), that is the id as a whole: it can be copied into a search as it was logged.
"""

from __future__ import annotations

import enum
import pathlib
import re
from collections import UserString
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from chained_logging.event.identifiers import as_given, cut, identifier, text
from chained_logging.event.models import is_model, model_type
from chained_logging.event.proxies import unwrapped
from chained_logging.event.values import clean, is_mock

COLLECTION: Final = "*"
"""The id of a whole collection."""


class Resource(NamedTuple):
    """What an event is about; None for a part that was not given."""

    type: Any
    id: Any


_NAME: Final = re.compile(r"[^\W\d][\w. -]*")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_WEB: Final = frozenset({"http", "https", "ws", "wss"})
# arn:partition:service:region:account:type/id, or :type:id, or no type
# (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html).
_ARN: Final = re.compile(
    r"arn:[^:/]+:([^:/]+):[^:/]*:[^:/]*:(?:([A-Za-z][\w-]*)[:/](?=.))?.*", re.DOTALL
)
_UNTYPED: Final = frozenset({"s3", "sns", "sqs"})
_GID: Final = re.compile(r"[^/]+/([^/?]+)/([^/?]+)(?:\?.*)?", re.DOTALL)
# https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
_KUBERNETES: Final = re.compile(
    r"/(?:api|apis/[^/]+)/v\d\w*/namespaces/[^/]+/([a-z]+)(?:/.*)?"
    r"|/apis/[^/]+/v\d\w*/([a-z]+)(?:/.*)?"
    r"|/api/v\d\w*/(namespaces|nodes|persistentvolumes)(?:/.*)?"
    # All of a kind, in every namespace.
    r"|/api/v\d\w*/(configmaps|endpoints|events|limitranges|persistentvolumeclaims|pods"
    r"|podtemplates|replicationcontrollers|resourcequotas|secrets|serviceaccounts|services)/?",
    re.DOTALL,
)
_PATH: Final = re.compile(r"/|\./|\.\./|~/|[A-Za-z]:[\\/]|\\\\")
_KEYED: Final = re.compile(r"([A-Za-z_][\w.-]*):(?!:)(\S.*)", re.DOTALL)
_OTHER: Final = re.compile(r"([A-Za-z][\w+.-]*):(?!:)([^/]*/.*)", re.DOTALL)
_REPOSITORY: Final = re.compile(r"[\w.-]+@[\w.-]+:\S+")  # git's short form of an ssh:// address
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def split(given: str) -> tuple[str | None, str | None]:
    """Return type and id of a record's name or address."""
    kind, _, id = given.partition("/")
    if id and kind.isidentifier() and id.strip() == id:  # nearly all
        return (kind, id)
    given = given.strip()
    match = _ARN.fullmatch(given)
    if match:
        service, kind = match.groups()
        if kind is None or service in _UNTYPED:
            return (f"aws.{service}", cut(given))
        return (f"aws.{service}.{kind}", cut(given))
    match = _SCHEME.fullmatch(given)
    if match:
        return _by_scheme(match[1].lower(), match[2], given)
    if _PATH.match(given):
        match = _KUBERNETES.fullmatch(given)
        kinds = filter(None, match.groups()) if match else iter(())
        return (next(kinds, "path"), cut(given))
    if given.lower().startswith("urn:"):
        return ("urn", cut(given))
    if _REPOSITORY.fullmatch(given):
        return ("git", cut(given))
    match = _OTHER.fullmatch(given)
    if match:  # jdbc:postgresql://…, fhir:Patient/1
        return (match[1], cut(given) if "://" in given else match[2])
    kind, slash, id = given.partition("/")
    if slash:
        return (kind.strip(), id.strip())
    match = _KEYED.fullmatch(given)
    if match:
        return (match[1], match[2])
    if _NAME.fullmatch(given):
        return (given, COLLECTION)
    return (None, given or None)


def _by_scheme(scheme: str, rest: str, given: str) -> tuple[str | None, str | None]:
    if scheme in _WEB:
        return ("url", cut(given))
    match = _GID.fullmatch(rest) if scheme == "gid" else None
    if match:  # https://github.com/rails/globalid
        return (match[1], match[2])
    return (scheme, cut(given))


def resource(value: Any) -> Resource:
    """Return type and id of whatever names a record.

    :param value: text as :func:`split` takes it, a pair, a mapping with ``type`` and ``id``, a
        path, or an object with an identifier, whose class is the type then.
    """
    if type(value) is str:
        return Resource(*split(value))
    value = unwrapped(value)
    if isinstance(value, enum.Enum):
        return resource(value.value)
    if isinstance(value, pathlib.PurePath):
        return Resource("path", cut(clean(str(value))))
    if isinstance(value, tuple | list) and len(value) == 2 and not hasattr(value, "_fields"):
        return Resource(_type(value[0]), _id(value[1]))
    if isinstance(value, Mapping):
        if "type" in value and "id" in value:
            return Resource(_type(value["type"]), _id(value["id"]))
        return Resource(as_given(value), None)
    try:
        if isinstance(value, str | bytes | UserString):
            return Resource(*split(text(value)))
        return Resource(type_of(type(value)), _named(value))
    except ValueError:
        return Resource(as_given(value), None)


def _type(value: Any) -> Any:
    return type_of(value) if isinstance(value, type) else _named(value)


def _id(value: Any) -> Any:
    """Return what a pair has as its id; of a key of several columns, all with commas between."""
    if isinstance(value, tuple | list) and value and not hasattr(value, "_fields"):
        try:
            return ",".join(identifier(part) for part in value)
        except ValueError:
            return as_given(value)
    return _named(value)


def _named(value: Any) -> Any:
    if value is None:
        return None
    try:
        return identifier(value)
    except ValueError:
        return as_given(value)


def type_of(kind: type) -> str | None:
    """Return the type of the records whose objects have this class; None for numbers, UUIDs, dates.

    A model of SQLAlchemy's or Django's is called as its recorder does, any other class by its
    name: ``PatientRecord`` is ``patient_record``.
    """
    if is_model(kind):
        return model_type(kind)
    if is_mock(kind) or kind.__module__.partition(".")[0] in _NO_RECORDS:
        return None
    return _HUMP.sub("_", kind.__name__).lower()


_NO_RECORDS: Final = frozenset({"builtins", "datetime", "decimal", "numpy", "uuid"})


def resource_names(given: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping of resource types to their names in the log, checked.

    :raises ValueError: if it does not map names to names.
    """
    names = dict(given)
    for pair in names.items():
        if not all(type(name) is str and name and cut(name) == name for name in pair):
            raise ValueError(
                "resources must map names to names, of 1 to 1,024 bytes each, such as "
                f"{{'patients': 'patient_record'}}, not {pair[0]!r}: {pair[1]!r}"
            )
        if "\0" in pair[1]:
            raise ValueError("a name in resources must not hold U+0000")
    return names
