"""One account is used in two places in turns: two people have its password."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import exceeding
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.baselines.tally import Tally
from chained_logging.review.detect.finding import Finding

_FLOOR: Final = 8
_SOON: Final = 3600
"""Seconds within which an account returns to a place for that to count as a turn."""


class Sharing:
    """Counts how often each account returns to the place it was at before another one.

    A place is an address and a program. Somebody who goes from one desk to the next returns
    seldom; two people who work at once return all the time.
    """

    name = "sharing"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tally = Tally(state, (_FLOOR,))
        self._places: dict[str, list[Any]] = state.setdefault("places", {})

    def see(self, event: Event) -> Iterable[Finding]:
        if not event.person or event.ip is None or event.result == "failure":
            return ()
        row = self._tally.day(event.actor, event.actor_type, event.day)
        return self._counted(event, row) if self._returns(event) else ()

    def _counted(self, event: Event, row: list[Any]) -> Iterator[Finding]:
        excess = self._tally.add(event.actor, event.actor_type, row, event)
        if excess is not None:
            said = (
                f"{event.actor} was used in turns in different places, with {excess.count} returns "
                f"within an hour on {date_text(row[0])}"
            )
            yield exceeding(event, "shared_account", "high", event.actor, excess, said)

    def _returns(self, event: Event) -> bool:
        """Note where an account is, and return whether it is back from another place."""
        place = f"{event.ip} {event.agent}"
        known = self._places.get(event.actor)
        if known is None:
            renewed(self._places, event.actor, [place, event.seconds, "", 0])
            return False
        here, since, before, left = known
        if place == here:
            known[1] = event.seconds
            return False
        known[:] = [place, event.seconds, here, since]
        return bool(place == before and event.seconds - left <= _SOON)
