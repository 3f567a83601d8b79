"""Idempotency keys: an event that a client sends again is stored once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

from chained_logging.collector.events import answer
from chained_logging.event.entry import AuditEntry
from chained_logging.log import AuditLog

REMEMBERED: Final = 100_000
"""Number of recent entries whose idempotency keys are known, also after a restart."""

_Name = tuple[Any, str]  # the client's service, and its key


class Claim(NamedTuple):
    """One use of an idempotency key."""

    future: Future[dict[str, Any]]
    """The answer to the event, once it is known."""
    ours: bool = True
    """Whether this use is the first, so that its event is to be appended."""
    name: _Name | None = None
    """None for an event without a key."""


class Keys:
    """The recent idempotency keys and their answers.

    :param log: the log, whose newest entries say which keys were used.
    :raises FAILURES: if the log cannot be read.
    """

    def __init__(self, log: AuditLog) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[_Name, Future[dict[str, Any]]] = OrderedDict()
        for entry in log.entries(max(0, log.last_seq + 1 - REMEMBERED)):
            name = _stored_name(entry)
            if name is not None:
                future: Future[dict[str, Any]] = Future()
                future.set_result(answer(entry))
                self._known[name] = future

    def claim(self, peer: Mapping[str, Any], key: str | None) -> Claim:
        """Return a claim to a key. Unless it is the first one, its answer is that of the first.

        :param key: None for an event without a key, which is never a repetition.
        """
        if key is None:
            return Claim(Future())
        name = (_service(peer), key)
        with self._lock:
            future = self._known.get(name)
            if future is not None:
                return Claim(future, ours=False, name=name)
            self._known[name] = future = Future()
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return Claim(future, name=name)

    def settle(self, claim: Claim, found: dict[str, Any]) -> None:
        """Give an answer to all that wait for it, unless they have one.

        An error is forgotten, so that the event can be sent again.
        """
        if claim.future.done():
            return
        if "error" in found and claim.name is not None:
            with self._lock:
                self._known.pop(claim.name, None)
        claim.future.set_result(found)


def _stored_name(entry: AuditEntry) -> _Name | None:
    """Return the key of a stored entry, if it came from a client that gave one."""
    if b'"idempotency_key"' not in entry.body or b'"peer"' not in entry.body:
        return None
    try:
        context = entry.context
    except ValueError:  # somebody edited it
        return None
    if not isinstance(context, dict):
        return None
    key, peer = context.get("idempotency_key"), context.get("peer")
    return (_service(peer), key) if isinstance(key, str) and isinstance(peer, dict) else None


def _service(peer: Mapping[str, Any]) -> Any:
    return peer.get("uid", peer.get("transport"))
