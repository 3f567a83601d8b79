"""Turns an event of AWS CloudTrail into the fields of an entry, by one table of rules.

``context`` is the event as AWS wrote it, so that rules made for CloudTrail see what they expect.
See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from chained_logging.event.identifiers import ANONYMOUS

Event = Mapping[str, Any]

_ANONYMOUS: Final = frozenset({"anonymous", "anonymous_principal"})
_DENIED: Final = re.compile(
    "AccessDenied|Unauthorized|NotAuthorized|Forbidden|AuthFailure|Client.InvalidClientTokenId"
)
_LOGINS: Final = frozenset({"ConsoleLogin", "UserAuthentication"})
_MACHINE: Final = re.compile(r"^i-[0-9a-fA-F]+$|\d{10,}")
"""Sessions of a role that a machine opened: an instance's, or one that a library named by time."""
_ADDRESS: Final = re.compile(r"[\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*")
_KINDS: Final = {
    "bucketName": "bucket",
    "roleName": "role",
    "userName": "user",
    "groupName": "group",
    "policyArn": "policy",
    "roleArn": "role",
    "instanceProfileName": "instance-profile",
    "instanceId": "instance",
    "instanceIds": "instance",
    "instancesSet.items.instanceId": "instance",
    "target": "instance",
    "groupId": "security-group",
    "snapshotId": "snapshot",
    "imageId": "image",
    "volumeId": "volume",
    "vpcId": "vpc",
    "subnetId": "subnet",
    "secretId": "secret",
    "secretIdList": "secret",
    "functionName": "function",
    "keyId": "key",
    "dBInstanceIdentifier": "db",
    "dBSnapshotIdentifier": "snapshot",
    "dBClusterIdentifier": "cluster",
    "trailName": "trail",
    "logGroupName": "log-group",
    "tableName": "table",
    "clusterName": "cluster",
    "detectorId": "detector",
    "names": "parameter",
    "name": "object",
}
"""Request parameters that name what a call is about, and what each names."""


def fields(event: Event) -> dict[str, Any]:
    """Return the fields of the entry of an event. What is missing there is missing here."""
    named = list(_resources(event))
    found = {name: rule(event) for name, rule in _RULES.items()}
    found |= {"resource": named[0], "resources": named[1:], "context": event}
    return {name: value for name, value in found.items() if value not in (None, [])}


def at(value: Any, path: str) -> Any:
    """Return what is at a path of names with dots between; None if nothing is."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(event: Event, *paths: str) -> str | None:
    """Return the first of some values that is text and not empty."""
    values = (at(event, path) for path in paths)
    return next((value for value in values if isinstance(value, str) and value), None)


def _service(event: Event) -> str | None:
    """Return the service of AWS that made a call; None if somebody outside did.

    Where there would be an address, CloudTrail has the service's name.
    """
    source = _text(event, "sourceIPAddress")
    if source is None or not _ADDRESS.fullmatch(source):
        return _text(event, "userIdentity.invokedBy") or source
    return None


def _principal(event: Event) -> str | None:
    """Return whose credentials were used."""
    for path in ("userIdentity.principalId", "userIdentity.accountId"):
        if (_text(event, path) or "").lower() in _ANONYMOUS:
            return ANONYMOUS
    return _text(
        event,
        *("userIdentity.arn", "userIdentity.onBehalfOf.userId", "userIdentity.userName"),
        *("userIdentity.principalId", "userIdentity.invokedBy", "userIdentity.accountId"),
    )


def _actor(event: Event) -> str | None:
    return _service(event) or _principal(event)


def _actor_type(event: Event) -> str:
    kind = _text(event, "userIdentity.type")
    if _service(event) or kind == "AWSService":
        return "service"
    if kind == "Root":
        return "admin"
    session = (_text(event, "userIdentity.arn") or "").rpartition("/")[2]
    is_machine = kind == "AssumedRole" and _MACHINE.search(session)
    return "service" if is_machine else "user"


def _on_behalf_of(event: Event) -> str | None:
    """Return whose rights a session has; or for whom a service made a call."""
    acted = _actor(event)
    others = (
        _text(event, "userIdentity.arn") if _service(event) else None,
        _text(event, "userIdentity.sessionContext.sessionIssuer.arn"),
    )
    return next((other for other in others if other and other != acted), None)


def _action(event: Event) -> str | None:
    name = _text(event, "eventName")
    return "login" if name in _LOGINS else name


def _result(event: Event) -> str:
    error = _text(event, "errorCode")
    if error and _DENIED.search(error):
        return "denied"
    answers = at(event, "responseElements")
    failed = "Failure" in answers.values() if isinstance(answers, Mapping) else False
    return "failure" if error or failed else "success"


def _ip(event: Event) -> str | None:
    return None if _service(event) else _text(event, "sourceIPAddress")


_RULES: Final[dict[str, Callable[[Event], Any]]] = {
    "timestamp": lambda event: _text(event, "eventTime"),
    "actor_id": _actor,
    "actor_type": _actor_type,
    "on_behalf_of": _on_behalf_of,
    "action": _action,
    "result": _result,
    "ip_address": _ip,
    "user_agent": lambda event: _text(event, "userAgent"),
    "tenant_id": lambda event: _text(event, "recipientAccountId", "userIdentity.accountId"),
}
"""The fields of an entry, and where each is in an event."""


def _resources(event: Event) -> Iterator[tuple[str, str] | str]:
    """Yield what an event is about: what it names itself, else the parameters, else the service."""
    named = list(dict.fromkeys(_listed(event)))
    service = (_text(event, "eventSource") or "aws").partition(".")[0]
    if not named:
        named = list(dict.fromkeys(_parameters(event, service)))
    yield from named or [(f"aws.{service}", _text(event, "recipientAccountId") or "*")]


def _listed(event: Event) -> Iterator[tuple[str, str] | str]:
    listed = event.get("resources")
    for one in listed if isinstance(listed, list) else ():
        arn = _text(one, "ARN", "ARNPrefix") if isinstance(one, Mapping) else None
        if arn:
            yield arn


def _parameters(event: Event, service: str) -> Iterator[tuple[str, str] | str]:
    for path, kind in _KINDS.items():
        for value in _values(at_all(event.get("requestParameters"), path.split("."))):
            yield value if value.startswith("arn:") else (f"aws.{service}.{kind}", value)


def at_all(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what is at a path, of each item where there is a list on the way."""
    found = [(value, path)]
    while found:  # others choose how deep lists are nested
        value, path = found.pop()
        if isinstance(value, list):
            found += [(item, path) for item in reversed(value)]
        elif not path:
            yield value
        elif isinstance(value, Mapping):
            found.append((value.get(path[0]), path[1:]))


def _values(found: Iterator[Any]) -> Iterator[str]:
    return (value for value in found if isinstance(value, str) and value)
