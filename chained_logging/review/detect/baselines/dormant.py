"""An account that was not used for long is used again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import at
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import Finding

_LONG: Final = 30
"""Days without activity after which an account is dormant."""
_ACCOUNTS: Final = 50_000


class Dormant:
    """Knows when each actor was active last, and their longest rest before."""

    name = "dormant"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._last: dict[str, list[int]] = state.setdefault("last", {})

    def see(self, event: Event) -> Iterable[Finding]:
        if event.ours or event.result != "success":
            return ()
        last = self._last.get(event.actor)
        if last is None:
            renewed(self._last, event.actor, [event.day, 0], _ACCOUNTS)
            return ()
        return self._used_again(event, *last) if event.day > last[0] else ()

    def _used_again(self, event: Event, day: int, longest: int) -> Iterator[Finding]:
        gap = event.day - day
        renewed(self._last, event.actor, [event.day, max(longest, gap)], _ACCOUNTS)
        if gap >= _LONG and gap > 2 * longest:
            said = (
                f"{event.actor} had done nothing for {gap} days, since {date_text(day)}; the "
                f"longest rest before was {longest} days"
            )
            yield at(event, "dormant_account", "medium", event.actor, said)
