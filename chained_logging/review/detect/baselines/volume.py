"""Somebody reads, exports or deletes far more in a day than they ever did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import exceeding
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.tally import Excess, Tally
from chained_logging.review.detect.finding import Finding, Severity

_RULES: Final[tuple[tuple[str, Severity, str], ...]] = (
    ("access_spike", "medium", "used {count:,} different records"),
    ("mass_export", "high", "exported {count:,} times"),
    ("mass_delete", "high", "deleted {count:,} times"),
)
_FLOORS: Final = (40, 20, 20)
_MEASURES: Final = {"export": 1, "delete": 2}


class Volume:
    """Counts records, exports and deletions of each actor by day.

    In somebody else's name an actor is compared with their past in others' names.
    """

    name = "volume"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tally = Tally(state, _FLOORS)

    def see(self, event: Event) -> Iterable[Finding]:
        if event.ours or event.result != "success":
            return ()
        kind = event.actor_type if event.behalf is None else f"{event.actor_type} for others"
        key = event.actor if event.behalf is None else f"{event.actor} for others"
        row = self._tally.day(key, kind, event.day)
        found: list[Finding] = []
        new = len(self._tally.new(row, event.records))
        if new and (excess := self._tally.add(key, kind, row, event, new)) is not None:
            found.append(_told(event, key, row, excess, 0))
        measure = _MEASURES.get(event.verb)
        if measure is not None:
            amount = max(1, len(event.records))
            excess = self._tally.add(key, kind, row, event, amount, measure)
            if excess is not None:
                found.append(_told(event, key, row, excess, measure))
        return found


def _told(event: Event, key: str, row: list[Any], excess: Excess, measure: int) -> Finding:
    rule, severity, did = _RULES[measure]
    said = f"{key} {did.format(count=excess.count)} on {date_text(row[0])}"
    return exceeding(event, rule, severity, event.actor, excess, said)
