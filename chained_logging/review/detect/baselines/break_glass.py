"""Emergency access: each use is to be reviewed, and a habit is not an emergency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import at, since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import SHOWN, Finding

_WEEK: Final = 7
_FLOOR: Final = 4
"""Records in a week that are not a habit yet."""
_USES: Final = 500
_DAY, _RECORD, _SEQS, _FIRST = range(4)


class BreakGlass:
    """Knows which records each actor opened by emergency access in a week."""

    name = "break_glass"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._uses: dict[str, list[Any]] = state.setdefault("uses", {})
        self._most: dict[str, int] = state.setdefault("most", {})
        self._told: dict[str, list[int]] = state.setdefault("told", {})

    def see(self, event: Event) -> Iterable[Finding]:
        return self._used(event) if event.glass and not event.ours else ()

    def _used(self, event: Event) -> Iterator[Finding]:
        record = event.records[0] if event.records else event.type
        uses = [use for use in self._uses.get(event.actor, []) if use[_DAY] > event.day - _WEEK]
        same = [use for use in uses if use[_RECORD] == record and use[_DAY] == event.day]
        if same:
            same[0][_SEQS].append(event.seq)
            del same[0][_SEQS][:-SHOWN]
        else:
            uses.append([event.day, record, [event.seq], event.timestamp])
        renewed(self._uses, event.actor, uses[-_USES:])
        if not same:
            yield from self._told_of(event, record, uses)

    def _told_of(self, event: Event, record: str, uses: list[Any]) -> Iterator[Finding]:
        said = f"{event.actor} used the emergency access to {record}: it is to be reviewed"
        yield at(event, "break_glass", "informational", event.actor, said)
        most = max(self._most.values(), default=0)
        told = self._told.get(event.actor, [0, 0])
        if told[0] <= event.day - _WEEK:
            told = [0, 0]
        if len(uses) > max(_FLOOR, most, told[1]):
            renewed(self._told, event.actor, [event.day, 2 * len(uses)])
            seqs = [seq for use in uses for seq in use[_SEQS]]
            said = (
                f"{event.actor} used the emergency access to {len(uses)} records in {_WEEK} days; "
                f"nobody did so with more than {most} before"
            )
            yield since(
                event, "break_glass_habit", "high", event.actor, said, seqs, uses[0][_FIRST]
            )
        elif not told[1]:
            renewed(self._most, event.actor, max(self._most.get(event.actor, 0), len(uses)))
