"""What the baselines look at in an entry."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from chained_logging.event.fields import OURSELVES
from chained_logging.event.resources import COLLECTION
from chained_logging.formats.meaning import verb
from chained_logging.review.detect.baselines.calendar import Calendar
from chained_logging.review.detect.reading import Entry

_DIGITS: Final = re.compile(r"[0-9][0-9._]*")
_GLASS: Final = re.compile(r"break.?(?:the.?)?glass|emergency.?access", re.IGNORECASE)
_TAKEN: Final = frozenset({"export", "download", "dump", "print", "copy"})


class Event(NamedTuple):
    """An entry, as the baselines see it.

    :ivar seconds: when, since 1970; `day`, `hour` and `free` as in
        :class:`~chained_logging.review.detect.baselines.calendar.Moment`.
    :ivar person: whether the actor is a user or an administrator.
    :ivar ours: whether the log wrote the entry itself.
    :ivar verb: what the action does, such as ``read``, ``export`` or ``delete``.
    :ivar records: each record that the entry names, as ``type/id``; a whole collection is not one.
    :ivar net: the network of the address: /24, or /56 of IPv6. None without an address.
    :ivar agent: the user agent without the numbers of its version.
    :ivar glass: whether the access is a break-glass one.
    """

    seq: int
    timestamp: str
    seconds: int
    day: int
    hour: int
    free: bool
    actor: str
    actor_type: str
    person: bool
    ours: bool
    action: str
    verb: str
    type: str
    id: str
    records: tuple[str, ...]
    result: str
    ip: str | None
    net: str | None
    agent: str
    session: str | None
    behalf: str | None
    changed: tuple[str, ...]
    glass: bool
    incomplete: bool
    context: dict[str, Any]
    prev_hash: str
    hash: str


def event(entry: Entry, calendar: Calendar) -> Event:
    """Return what the baselines look at in an entry.

    :raises ValueError: if it has not the form of one; also KeyError and TypeError.
    """
    body = entry.fields
    timestamp, actor, kind = body["timestamp"], body["actor_id"], body["actor_type"]
    action, context, ip = body["action"], body["context"], body["ip_address"]
    type, id = body["resource_type"], body["resource_id"]
    return Event(
        entry.seq,
        timestamp,
        *calendar.at(timestamp),
        actor,
        kind,
        kind in ("user", "admin"),
        kind == "system" and actor == OURSELVES,
        action,
        _verb(action),
        type,
        id,
        _records(type, id, body.get("resources")),
        body["result"],
        ip,
        None if ip is None else network(ip),
        family(body.get("user_agent") or ""),
        body.get("session_id"),
        body.get("on_behalf_of"),
        tuple(body.get("changed_fields") or ()),
        _is_glass(action) or bool(context.get("break_glass")),
        "invalid" in context,
        context,
        body["prev_hash"],
        entry.hash,
    )


def _records(type: str, id: str, more: list[dict[str, str]] | None) -> tuple[str, ...]:
    found = () if id == COLLECTION else (f"{type}/{id}",)
    return (*found, *(f"{one['type']}/{one['id']}" for one in more)) if more else found


@lru_cache(maxsize=4096)
def _verb(action: str) -> str:
    found = verb(action)
    words = set(re.split(r"[^a-z]+", action.lower()))
    return "export" if found == "other" and words & _TAKEN else found


@lru_cache(maxsize=4096)
def _is_glass(action: str) -> bool:
    return _GLASS.search(action) is not None


@lru_cache(maxsize=16_384)
def network(ip: str) -> str:
    """Return the network of an address: /24, or /56 of IPv6."""
    if ":" not in ip:
        return ip.rpartition(".")[0] or ip
    try:
        return str(ipaddress.ip_network((ip, 56), strict=False))
    except ValueError:
        return ip


@lru_cache(maxsize=4096)
def family(agent: str) -> str:
    """Return a user agent without the numbers of its version, which grow with each update."""
    return _DIGITS.sub("", agent)
