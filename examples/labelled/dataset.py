"""A log with its labels: ordinary days, what is rare and right, and the stories."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, NamedTuple

from labelled.calendars import HOLIDAYS, ZONE, first_day
from labelled.cases import Cases
from labelled.organisations import ORGANISATIONS
from labelled.people import Staff
from labelled.rarities import rarities
from labelled.stories import Story, stories
from labelled.work import Event, Work

DAYS = 91
HISTORY = 61
"""Days at the beginning without a story: what one looks at is the month after them."""


class Dataset(NamedTuple):
    """A log and its labels.

    :ivar name: such as ``clinic-7``.
    :ivar begins: the first moment of the month with the stories, as entries have it.
    :ivar events: in the order in which they are appended. Each has an ``event_id``.
    :ivar labels: a story each: its name, what a reviewer should be told, the actor, and the events
        that belong to it, by ``event_id``, from the first to the last.
    """

    name: str
    begins: str
    events: list[Event]
    labels: list[dict[str, Any]]

    def about(self) -> dict[str, Any]:
        """Return what the file of the labels holds."""
        first = self.events[0]["timestamp"][:4]
        return {
            "name": self.name,
            "entries": len(self.events),
            "stories_begin": self.begins,
            "zone": ZONE.key,
            "holidays": sorted(str(day) for day in HOLIDAYS if first <= str(day)),
            "stories": self.labels,
        }


def make(domain: str, seed: int, *, days: int = DAYS, history: int = HISTORY) -> Dataset:
    """Return the log of a seed.

    :param domain: of :data:`~labelled.organisations.ORGANISATIONS`.
    :param history: how many days at the beginning have no story.
    """
    staff = Staff(ORGANISATIONS[domain], seed, first_day(seed), days)
    work = Work(staff, Cases(staff))
    found = stories(work, history)
    events = [*_background(work), *(event for story in found for event in story.events)]
    for story in found:
        if story.silent is not None:
            events, around = _silenced(events, *story.silent)
            story.events = around
    events.sort(key=lambda event: event["timestamp"])
    for number, event in enumerate(events, 1):
        event["event_id"] = f"{domain}-{seed}-{number:06d}"
    alive = {id(event) for event in events}
    labels = [_label(story, alive) for story in found]
    begins = _text(dt.datetime.combine(staff.date(history), dt.time(), dt.UTC))
    return Dataset(f"{domain}-{seed}", begins, [_as_written(one) for one in events], labels)


def _background(work: Work) -> Iterator[Event]:
    for day in range(work.staff.days):
        for person in work.staff.people:
            yield from work.day(person, day)
        yield from work.arrivals(day)
        for service in work.staff.organisation.services:
            yield from work.service(service, day)
    yield from rarities(work)


def _silenced(
    events: list[Event], begin: dt.datetime, end: dt.datetime
) -> tuple[list[Event], list[Event]]:
    """Return the events without those of a time, and the one before and after it."""
    before = max((e for e in events if e["timestamp"] < begin), key=lambda e: e["timestamp"])
    after = min((e for e in events if e["timestamp"] >= end), key=lambda e: e["timestamp"])
    left = [event for event in events if not begin <= event["timestamp"] < end]
    return left, [before, after]


def _label(story: Story, alive: set[int]) -> dict[str, Any]:
    events = sorted(
        (event for event in story.events if id(event) in alive), key=lambda e: e["timestamp"]
    )
    return {
        "story": story.name,
        "told": story.told,
        "actor": story.actor,
        "first": _text(events[0]["timestamp"]),
        "last": _text(events[-1]["timestamp"]),
        "events": [event["event_id"] for event in events],
    }


def _as_written(event: Event) -> Event:
    return {name: value for name, value in event.items() if value is not None} | {
        "timestamp": _text(event["timestamp"])
    }


def _text(when: dt.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
