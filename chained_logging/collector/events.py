"""Turns a client's line into the fields of an event, and an entry into the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from chained_logging.event.entry import AuditEntry
from chained_logging.event.input import parse_event

MAX_KEY: Final = 200
"""Characters in an idempotency key."""
_ACTORS: Final = ("actor", "actor_id", "user_id")
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e]")


def read_event(line: bytes | str, peer: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return the fields of an event, and the client's idempotency key, which stays in them.

    :param line: the event in JSON; or, as text, why the line was refused.
    :param peer: the sender, for ``context.peer``.
    :raises ValueError: if the line is not an event.
    """
    event = parse_event(line)
    key = event.get("idempotency_key")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MAX_KEY):
        raise ValueError(f"idempotency_key must be a text of 1 to {MAX_KEY} characters")
    _attribute(event, peer)
    return event, key


def _attribute(event: dict[str, Any], peer: Mapping[str, Any]) -> None:
    """Store who sent an event in ``peer``, which the sender cannot set."""
    context = event.get("context")
    context = context if isinstance(context, dict) else {}
    for holder in (event, context):
        if "peer" in holder:
            name = "_peer"
            while name in event or name in context:
                name = f"_{name}"
            holder[name] = holder.pop("peer")
    event["peer"] = dict(peer)
    if all(event.get(name) is None for name in _ACTORS):
        event["actor_id"] = peer.get("user") or f"{peer['transport']}"
        event["actor_type"] = "service"


def answer(entry: AuditEntry) -> dict[str, Any]:
    """Return the answer to an event that was taken. It has no ``seq`` until it is chained."""
    if entry.hash is None:
        return {"id": entry.id, "waiting": True}
    found = {"id": entry.id, "seq": entry.seq, "hash": entry.hash}
    if entry.incomplete:
        found["incomplete"] = sorted(entry.context["invalid"])
    return found


def refusal(problem: object) -> dict[str, Any]:
    """Return the answer to an event that is not stored, and that a retry will not change."""
    return {"error": _NOT_PLAIN.sub("?", str(problem))}


def failure(problem: object) -> dict[str, Any]:
    """Return the answer to an event that could not be stored, so that the client tries again."""
    return {**refusal(f"not stored: {problem}"), "retry": True}


def numbered(answers: Sequence[dict[str, Any]], first: int = 1) -> None:
    """Put the number of its line into each answer that reports an error."""
    for number, one in enumerate(answers, first):
        if "error" in one:
            one["line"] = number


def to_lines(answers: Sequence[Mapping[str, Any]]) -> bytes:
    """Return answers as JSON Lines."""
    return b"".join(orjson.dumps(one) + b"\n" for one in answers)
