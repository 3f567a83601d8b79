"""Many entries of a day are incomplete: something that writes them broke, or was made to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import exceeding
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.tally import Tally
from chained_logging.review.detect.finding import Finding

_FLOOR: Final = 20


class Incomplete:
    """Counts the entries of each day with a missing or invalid field."""

    name = "incomplete"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tally = Tally(state, (_FLOOR,))

    def see(self, event: Event) -> Iterable[Finding]:
        row = self._tally.day("log", "log", event.day)
        return self._counted(event, row) if event.incomplete else ()

    def _counted(self, event: Event, row: list[Any]) -> Iterator[Finding]:
        excess = self._tally.add("log", "log", row, event)
        if excess is not None:
            fields = ", ".join(sorted(event.context["invalid"])[:5])
            said = (
                f"{excess.count} entries of {date_text(row[0])} have a missing or invalid field, "
                f"the last one {fields}"
            )
            yield exceeding(event, "incomplete_entries", "medium", "log", excess, said)
