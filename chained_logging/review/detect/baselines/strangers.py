"""Somebody reads records that none of those they work with has to do with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import exceeding
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.baselines.tally import Tally
from chained_logging.review.detect.finding import Finding

_FLOOR: Final = 5
_LATELY: Final = 30
"""Days for which somebody who used a record counts as one of its users."""
_USERS: Final = 4  # of a record that are remembered
_RECORDS: Final = 50_000
_COLLEAGUES: Final = 100
_SHARED: Final = 3
"""Records that two must have shared to be colleagues; and a part of all that one shares."""
_PART: Final = 0.02
_MUCH: Final = 2_000


class Strangers:
    """Knows who shares records with whom, and counts the records that somebody shares with nobody.

    A record is a stranger to an actor if neither they nor a colleague used it in the last 30 days.
    """

    name = "strangers"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tally = Tally(state, (_FLOOR,))
        self._users: dict[str, list[Any]] = state.setdefault("users", {})
        self._shared: dict[str, dict[str, int]] = state.setdefault("shared", {})

    def see(self, event: Event) -> Iterator[Finding]:
        if not event.person or event.behalf is not None:
            return
        actor = event.actor
        row = self._tally.day(actor, event.actor_type, event.day)
        new = self._tally.new(row, event.records)
        foreign = sum(self._is_strange(actor, record, event.day) for record in new)
        if foreign and event.verb != "create":
            excess = self._tally.add(actor, event.actor_type, row, event, foreign)
            if excess is not None and excess.own is not None:
                said = (
                    f"{actor} used {excess.count:,} records on {date_text(row[0])} that neither "
                    f"they nor those who share records with them had used for {_LATELY} days"
                )
                yield exceeding(event, "strange_records", "medium", actor, excess, said)

    def _is_strange(self, actor: str, record: str, day: int) -> bool:
        """Note that an actor uses a record, and return whether it is a stranger to them."""
        users = self._users.get(record, ())
        others = [
            users[at]
            for at in range(0, len(users), 2)
            if users[at] != actor and users[at + 1] >= day - _LATELY
        ]
        mine = any(users[at] == actor for at in range(0, len(users), 2))
        known = mine or self._is_colleague(actor, others)
        self._note(actor, record, day, users)
        for other in others:
            self._share(actor, other)
        return not known

    def _is_colleague(self, actor: str, others: list[str]) -> bool:
        shared = self._shared.get(actor)
        if not shared or not others:
            return False
        need = max(_SHARED, _PART * shared[""])
        return any(shared.get(other, 0) >= need for other in others)

    def _note(self, actor: str, record: str, day: int, users: Any) -> None:
        kept = [actor, day]
        for at in range(0, len(users), 2):
            if users[at] != actor and len(kept) < 2 * _USERS:
                kept += users[at : at + 2]
        renewed(self._users, record, kept, _RECORDS)

    def _share(self, actor: str, other: str) -> None:
        """Count a record that two use. The sum is under ``""``; what is old weighs less."""
        shared = self._shared.get(actor)
        if shared is None:
            shared = {"": 0}
            renewed(self._shared, actor, shared)
        shared[other] = shared.get(other, 0) + 1
        shared[""] += 1
        if shared[""] > _MUCH or len(shared) > _COLLEAGUES:
            halved = {name: count // 2 for name, count in shared.items() if count > 1 and name}
            halved[""] = sum(halved.values())
            self._shared[actor] = halved
