"""Nothing was logged for hours in which much is logged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.finding import Finding
from chained_logging.review.moments import spoken

_WEEKS: Final = 8
_SEEN: Final = 3
"""Earlier days with the hour before it can be silent."""
_EXPECTED: Final = 20
"""Entries that must be missing, by the quietest of the earlier days."""
_LONGEST: Final = 7 * 24  # hours of a silence that are looked at


class Silence:
    """Knows how many entries each hour of the week had, in the last eight weeks.

    A free day is compared with Sundays.
    """

    name = "silence"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._hours: dict[str, list[int]] = state.setdefault("hours", {})
        self._last: list[Any] = state.setdefault("last", [])

    def see(self, event: Event) -> Iterable[Finding]:
        if event.ours:
            return ()
        last = self._last
        if not last:
            last += [event.seconds, _hour(event), 0, event.seq, event.timestamp]
        gap = event.seconds - last[0]
        found = self._silent(event, gap) if gap > 1800 else ()
        if gap < 0:
            return ()
        hour = _hour(event)
        if hour != last[1]:
            self._turn(last[1], last[2])
            last[1], last[2] = hour, 0
        last[2] += 1
        last[0], last[3], last[4] = event.seconds, event.seq, event.timestamp
        return found

    def _turn(self, hour: str, count: int) -> None:
        counts = self._hours.setdefault(hour, [])
        counts.append(count)
        del counts[:-_WEEKS]

    def _silent(self, event: Event, gap: int) -> tuple[Finding, ...]:
        expected = self._expected(event, gap)
        if expected < _EXPECTED:
            return ()
        _, _, _, seq, timestamp = self._last
        said = (
            f"nothing was logged from {spoken(timestamp)} to {spoken(event.timestamp)}; on the "
            f"quietest of earlier days these hours had {expected:.0f} entries"
        )
        return (since(event, "log_silence", "high", "log", said, [seq, event.seq], timestamp),)

    def _expected(self, event: Event, gap: int) -> float:
        """Return how many entries the time of a gap had at least, in earlier weeks."""
        end_day, end_hour = event.day, event.hour
        found, left = 0.0, min(gap / 3600, _LONGEST)
        part = min(left, event.seconds % 3600 / 3600)
        while left > 0:
            counts = self._hours.get(f"{_kind(end_day, event)} {end_hour}", [])
            if len(counts) >= _SEEN:
                found += min(counts) * part
            left -= part
            part = min(left, 1.0)
            end_hour -= 1
            if end_hour < 0:
                end_day, end_hour = end_day - 1, 23
        return found


def _kind(day: int, event: Event) -> int:
    """Return the day of the week. A free day counts as a Sunday, but for Saturdays."""
    weekday = (day + 6) % 7
    return 6 if day == event.day and event.free and weekday < 5 else weekday


def _hour(event: Event) -> str:
    return f"{_kind(event.day, event)} {event.hour}"
