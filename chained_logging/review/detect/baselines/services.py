"""A person uses the account of a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import Finding

_ENOUGH: Final = 7
"""Days with activity before something can be new to a program."""
_NEEDED: Final = 2
"""New things about one entry that make a person likely."""
_MANY: Final = 500
_KINDS: Final = ("network", "program", "kind of work", "session")


class Services:
    """Knows the networks, the user agents and the kinds of work of each program.

    Programs are constant: a release changes one of these, a person at the keyboard changes several.
    """

    name = "services"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._known: dict[str, list[Any]] = state.setdefault("known", {})

    def see(self, event: Event) -> Iterable[Finding]:
        if event.actor_type != "service" or event.ours:
            return ()
        known = self._known.get(event.actor)
        if known is None:
            known = [0, 0, {}, -1, []]  # day, days, what is known, the day it was told of, entries
        if event.day > known[0]:
            known[0], known[1] = event.day, known[1] + 1
            renewed(self._known, event.actor, known)
        new = self._new(known[2], event, learn=known[1] <= _ENOUGH)
        if len(new) >= _NEEDED:
            return self._told(known, event, new)
        if new:
            self._new(known[2], event, learn=True)
        return ()

    def _new(self, known: dict[str, int], event: Event, *, learn: bool) -> list[str]:
        """Return what is new about an entry. What is learned is not new the next time."""
        values = (
            event.net or "",
            event.agent,
            f"{event.action} {event.type}",
            "yes" if event.session else "no",
        )
        keys = [f"{kind}: {value}" for kind, value in zip(_KINDS, values, strict=True)]
        new = [key for key in keys if key not in known]
        for key in new if learn else ():
            renewed(known, key, event.day, _MANY)
        return [] if learn else new

    def _told(self, known: list[Any], event: Event, new: list[str]) -> Iterator[Finding]:
        """Tell of it once a day. What is new then stays so until somebody says it is right."""
        if known[3] == event.day:
            return
        known[3] = event.day
        said = (
            f"the program {event.actor} acted as none of its {known[1] - 1} earlier days shows it: "
            f"new are the {'; the '.join(new)}"
        )
        yield since(
            event, "service_by_hand", "high", event.actor, said, [event.seq], event.timestamp
        )
