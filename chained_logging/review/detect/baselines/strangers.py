"""Somebody reads records that none of those they work with has to do with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.event.resources import COLLECTION
from chained_logging.review.detect.baselines.baseline import exceeding
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import ACTORS, renewed, usual_of_few
from chained_logging.review.detect.baselines.tally import Tally
from chained_logging.review.detect.finding import Finding

_FLOOR: Final = 5
_LATELY: Final = 30
"""Days for which somebody who used a record counts as one of its users."""
_USERS: Final = 6  # of a record that are remembered
_RECORDS: Final = 50_000
_COLLEAGUES: Final = 100
_SHARED: Final = 3
"""Records that two must have shared to be colleagues."""
_LIFT: Final = 1.5
"""How many times as often as by chance. Somebody who uses all records is nobody's colleague."""
_MUCH: Final = 2_000  # shared records after which the counts of an actor are halved
_ALL: Final = 200_000  # and those of all
_NAMED: Final = 3  # records of an entry that are looked at
_PROGRAM: Final = ""  # stands for programs among the users of a record


class Strangers:
    """Knows who shares records with whom, and counts the records that somebody shares with nobody.

    A record is a stranger to an actor if nobody used it in the last 30 days, or only people who are
    not their colleagues did. Of a list that was shown nobody chose the records: it does not count.
    """

    name = "strangers"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tally = Tally(state, (_FLOOR,), usual_of_few)
        self._users: dict[str, list[Any]] = state.setdefault("users", {})
        self._shared: dict[str, dict[str, int]] = state.setdefault("shared", {})
        self._all: dict[str, int] = state.setdefault("all", {"": 0})

    def see(self, event: Event) -> Iterable[Finding]:
        if event.behalf is not None or event.ours or event.id == COLLECTION:
            return ()
        records = event.records[:_NAMED]
        if not event.person:
            for record in records:
                self._note(_PROGRAM, record, event.day)
            return ()
        row = self._tally.day(event.actor, event.actor_type, event.day)
        if not self._tally.new(row, records[:1]):
            return ()
        if self._are_strange(event.actor, records, event.day) and event.verb != "create":
            return self._counted(event, row)
        return ()

    def _counted(self, event: Event, row: list[Any]) -> Iterator[Finding]:
        excess = self._tally.add(event.actor, event.actor_type, row, event)
        if excess is not None and excess.own is not None:
            said = (
                f"{event.actor} used {excess.count:,} records on {date_text(row[0])} that neither "
                f"they nor those who share records with them had used for {_LATELY} days"
            )
            yield exceeding(event, "strange_records", "medium", event.actor, excess, said)

    def _are_strange(self, actor: str, records: tuple[str, ...], day: int) -> bool:
        """Note that an actor uses some records, and return whether all are strangers to them."""
        strange = [self._is_strange(actor, record, day) for record in records]
        for record in records:
            for other in self._note(actor, record, day):
                self._share(actor, other)
                self._share(other, actor)
        return all(strange)

    def _is_strange(self, actor: str, record: str, day: int) -> bool:
        users = self._users.get(record, ())
        recent = [users[at] for at in range(0, len(users), 2) if users[at + 1] >= day - _LATELY]
        if recent == [_PROGRAM]:  # a program has just made it
            return False
        return actor not in recent and not self._has_colleague(actor, recent)

    def _has_colleague(self, actor: str, others: list[str]) -> bool:
        shared = self._shared.get(actor)
        if shared is None:
            return False
        for other in others:
            both = shared.get(other, 0)
            if both >= _SHARED:
                by_chance = shared[""] * self._all.get(other, 0) / max(1, self._all[""])
                if both >= _LIFT * by_chance:
                    return True
        return False

    def _note(self, actor: str, record: str, day: int) -> list[str]:
        """Note that an actor uses a record, and return the people who did before."""
        users = self._users.get(record, ())
        if users and users[0] == actor:
            users[1] = day
            return []
        kept = [actor, day]
        others = []
        for at in range(0, len(users), 2):
            if users[at] != actor and len(kept) < 2 * _USERS:
                kept += users[at : at + 2]
                others.append(users[at])
        renewed(self._users, record, kept, _RECORDS)
        return [other for other in others if other != _PROGRAM]

    def _share(self, actor: str, other: str) -> None:
        """Count a record that two share. Sums are under ``""``; what is old weighs less."""
        shared = self._shared.get(actor)
        if shared is None:
            shared = {"": 0}
            renewed(self._shared, actor, shared)
        every = self._all
        shared[other] = shared.get(other, 0) + 1
        shared[""] += 1
        every[other] = every.get(other, 0) + 1
        every[""] += 1
        if shared[""] > _MUCH or len(shared) > _COLLEAGUES:
            _halve(shared)
        if every[""] > _ALL or len(every) > ACTORS:
            _halve(every)


def _halve(counts: dict[str, int]) -> None:
    halved = {name: count // 2 for name, count in counts.items() if count > 1 and name}
    counts.clear()
    counts.update({"": sum(halved.values()), **halved})
