"""Somebody works at an hour, or on a free day, on which they never did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import since
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import Finding

_ENOUGH: Final = 20
"""Days with activity before hours can be unusual; two weeks of free days before one can be."""
_FREE_DAYS: Final = 8
_AROUND: Final = 2  # hours before and after that count as the same
_MANY: Final = 8  # entries before anybody is told: a look at the phone is nothing
_DAY, _SEQS, _FIRST, _MARKS = range(4)


class Hours:
    """Knows on how many days each actor was active in each hour, and on free days.

    An hour is unusual if the actor was never active within two hours of it; a free day, if they
    never worked on one.
    """

    name = "hours"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._past: dict[str, list[Any]] = state.setdefault("past", {})
        self._today: dict[str, list[Any]] = state.setdefault("today", {})
        self._free: list[int] = state.setdefault("free", [])

    def see(self, event: Event) -> Iterable[Finding]:
        if not event.person or event.behalf is not None:
            return ()
        past, today = self._rows(event)
        unusual = self._unusual(past, event) if past[0] > _ENOUGH else None
        today[_MARKS][event.hour] = 1
        return () if unusual is None else self._counted(event, today, unusual)

    def _counted(self, event: Event, today: list[Any], unusual: str) -> Iterator[Finding]:
        seqs = today[_SEQS]
        today[_FIRST] = today[_FIRST] or event.timestamp
        if len(seqs) <= _MANY:
            seqs.append(event.seq)
        if len(seqs) == _MANY:
            said = f"{event.actor} was active {unusual} on {date_text(event.day)}"
            first = today[_FIRST]
            yield since(event, "unusual_hours", "low", event.actor, said, seqs, first)

    def _rows(self, event: Event) -> tuple[list[Any], list[Any]]:
        past, today = self._past.get(event.actor), self._today.get(event.actor)
        if past is None:
            past = [0, 0, [0] * 24, event.day]  # days, free days, days by hour, the first day
            renewed(self._past, event.actor, past)
        if today is None or event.day > today[_DAY]:
            if today is not None:
                past[2] = [days + mark for days, mark in zip(past[2], today[_MARKS], strict=True)]
            past[0] += 1
            past[1] += event.free
            self._note_day(event)
            today = [event.day, [], "", [0] * 24]
            renewed(self._today, event.actor, today)
            renewed(self._past, event.actor, past)
        return past, today

    def _note_day(self, event: Event) -> None:
        """Note a free day of the log."""
        if event.free and (not self._free or event.day > self._free[-1]):
            self._free.append(event.day)
            del self._free[:-60]

    def _unusual(self, past: list[Any], event: Event) -> str | None:
        """Return what is unusual about the time of an entry, in words; None if nothing is."""
        days, free, hours, first = past
        near = [hours[(event.hour + step) % 24] for step in range(-_AROUND, _AROUND + 1)]
        if not any(near):
            return (
                f"at {event.hour:02d} h, which they were on none of {days - 1} earlier days, nor "
                f"within {_AROUND} hours of it,"
            )
        past_free = sum(day > first for day in self._free) - 1
        if event.free and free == 1 and past_free >= _FREE_DAYS:
            return f"on a free day, which they were on none of {past_free} earlier ones,"
        return None
