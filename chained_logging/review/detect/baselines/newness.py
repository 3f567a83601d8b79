"""Somebody uses a type of record, or comes from a network, for the first time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import at, since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import ACTORS, renewed
from chained_logging.review.detect.finding import Finding

_ENOUGH: Final = 8
"""Days with activity of the actor before something can be new to them."""
_FEW: Final = 0.12
"""A type is for few if at most this part of the actors uses it, or three of them."""
_MANY: Final = 200  # types and networks of an actor, and actors of a type, that are remembered
_FAMILIAR: Final = 3  # days on which a type was used before it is nothing new
_REPEATED: Final = 3  # accesses to a new type before anybody is told
_CHANGES: Final = 2
"""New networks in a month with which another one is nothing new."""


class Newness:
    """Knows the types, the networks and the user agents of each actor."""

    name = "newness"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._actors: dict[str, dict[str, Any]] = state.setdefault("actors", {})
        self._types: dict[str, dict[str, int]] = state.setdefault("types", {})
        self._nets: dict[str, int] = state.setdefault("nets", {})

    def see(self, event: Event) -> Iterable[Finding]:
        if not event.person or event.behalf is not None:
            return ()
        known = self._known(event)
        days, day = known["types"].get(event.type, (0, 0))
        familiar = days >= _FAMILIAR or (days and day >= event.day)
        found = () if familiar else self._type(known, event, days)
        if event.net is None or event.result != "success":
            return found
        if event.net in known["nets"] and event.agent in known["agents"]:
            return found
        return itertools.chain(found, self._network(known, event))

    def _known(self, event: Event) -> dict[str, Any]:
        known = self._actors.get(event.actor)
        if known is None:
            known = {"day": 0, "days": 0, "types": {}, "nets": {}, "agents": {}, "tried": {}}
        if event.day > known["day"]:
            known["day"] = event.day
            known["days"] += 1
            renewed(self._actors, event.actor, known)
        return known

    # --- Types.

    def _type(self, known: dict[str, Any], event: Event, days: int) -> Iterator[Finding]:
        users = self._types.get(event.type, {})
        told = known["days"] > _ENOUGH and self._is_for_few(users, event)
        tried = known["tried"].get(event.type, [event.timestamp, []])
        tried[1].append(event.seq)
        renewed(known["tried"], event.type, tried, _MANY)
        if told and len(tried[1]) < _REPEATED:
            return
        first, seqs = known["tried"].pop(event.type)
        renewed(known["types"], event.type, [days + 1, event.day], _MANY)
        if len(users) < _MANY:  # what so many use is for all
            users.setdefault(event.actor, event.day)
        renewed(self._types, event.type, users, ACTORS)
        if told:
            others = ", ".join(sorted(set(users) - {event.actor})[:3]) or "nobody"
            said = (
                f"{event.actor} used {event.type}, on {days} of {known['days'] - 1} earlier days "
                f"with activity; of {len(self._actors)} actors only {len(users) - 1} others did "
                f"({others})"
            )
            yield since(event, "new_resource_type", "medium", event.actor, said, seqs, first)

    def _is_for_few(self, users: dict[str, int], event: Event) -> bool:
        """Whether a type is one that few use, and that was used before today."""
        earlier = [day for name, day in users.items() if name != event.actor and day < event.day]
        return len(earlier) > 0 and len(users) <= max(3, _FEW * len(self._actors))

    # --- Networks.

    def _network(self, known: dict[str, Any], event: Event) -> Iterator[Finding]:
        nets, agents = known["nets"], known["agents"]
        new_agent = event.agent not in agents
        told = known["days"] > _ENOUGH and event.net not in nets and event.net not in self._nets
        lately = sum(day > event.day - 30 for day in nets.values()) if told else 0
        renewed(nets, event.net or "", event.day, _MANY)
        renewed(agents, event.agent, event.day, _MANY)
        renewed(self._nets, event.net or "", event.day, ACTORS)
        if not told:
            return
        said = (
            f"{event.actor} came from {event.net}, where nobody was seen before, after "
            f"{len(nets) - 1} other networks in {known['days'] - 1} days with activity"
        )
        if new_agent:
            said += ", and with a program that they had not used"
            yield at(event, "new_network", "medium", event.actor, said)
        elif lately <= _CHANGES:
            yield at(event, "new_network", "informational", event.actor, said)
