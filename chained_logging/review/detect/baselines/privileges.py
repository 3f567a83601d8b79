"""Somebody gives rights to themselves or for the first time, or becomes an administrator."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import at
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import Finding

_GRANT: Final = re.compile(
    r"grant|elevat|escalat|promot|sudo|impersonat\w*role|assign.?(?:role|polic|permission)"
    r"|(?:attach|put|add|update|change|set).?\w*.?(?:role|polic|permission|privilege|admin)",
    re.IGNORECASE,
)
_RIGHTS: Final = frozenset(
    {"role", "roles", "permission", "permissions", "is_admin", "is_superuser", "is_staff"}
    | {"groups", "scopes", "privileges", "policy", "policies"}
)
_ENOUGH: Final = 14
"""Days of the log before somebody who gives rights can be new to it."""


class Privileges:
    """Knows who gave rights before, and which type each actor had."""

    name = "privileges"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._givers: dict[str, int] = state.setdefault("givers", {})
        self._types: dict[str, list[Any]] = state.setdefault("types", {})
        self._begins: list[int] = state.setdefault("begins", [])

    def see(self, event: Event) -> Iterable[Finding]:
        if event.ours:
            return ()
        if not self._begins:
            self._begins.append(event.day)
        known = self._known(event)
        found = () if event.actor_type == known[0] else self._changed(event, known)
        if event.result == "success" and _gives(event):
            return itertools.chain(found, self._given(event))
        return found

    def _known(self, event: Event) -> list[Any]:
        known = self._types.get(event.actor)
        if known is None or event.day > known[1]:
            known = [known[0] if known else event.actor_type, event.day, (known or [0] * 3)[2] + 1]
            renewed(self._types, event.actor, known)
        return known

    def _changed(self, event: Event, known: list[Any]) -> Iterator[Finding]:
        before, days = known[0], known[2]
        known[0] = event.actor_type
        if event.actor_type == "admin" and days > 7:
            said = f"{event.actor} acts as admin, and was {before} on {days - 1} days before"
            yield at(event, "privilege_change", "medium", event.actor, said)

    def _given(self, event: Event) -> Iterator[Finding]:
        times = self._givers.get(event.actor, 0)
        others = len(self._givers) - (event.actor in self._givers)
        renewed(self._givers, event.actor, times + 1)
        to = event.id if event.id != event.actor else "themselves"
        did = f"{event.actor} gave rights to {to} ({event.action})"
        before = f"; they had given some {times} times before, and {others} others had"
        if event.id == event.actor:
            yield at(event, "privilege_change", "high", event.actor, did + before)
        elif not times and event.day - self._begins[0] >= _ENOUGH and event.actor_type == "user":
            yield at(event, "privilege_change", "medium", event.actor, did + before)


def _gives(event: Event) -> bool:
    if _is_grant(event.action):
        return True
    changes = bool(event.changed) and event.verb in ("create", "update", "other")
    return changes and not _RIGHTS.isdisjoint(event.changed)


@lru_cache(maxsize=4096)
def _is_grant(action: str) -> bool:
    return _GRANT.search(action) is not None
