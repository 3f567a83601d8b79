"""Events as the baselines see them, and days that are like each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from chained_logging.review.detect.baselines.baseline import Baseline
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.finding import Finding

MONDAY = dt.date(2026, 3, 2).toordinal()


class Days:
    """Makes events in order, of days that are counted from a Monday.

    :param baseline: takes each event in.
    """

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline
        self.seq = 0

    def event(self, day: int = 0, hour: float = 9.0, **fields: Any) -> Event:
        """Return an event: ann reads a record at her desk, unless the fields say otherwise."""
        self.seq += 1
        seconds = int((day + hour / 24) * 86400) + 1_772_409_600
        when = dt.datetime.fromtimestamp(seconds, dt.UTC)
        type, id = fields.pop("type", "record"), fields.pop("id", str(self.seq % 5))
        given: dict[str, Any] = {
            "seq": self.seq,
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "seconds": seconds,
            "day": MONDAY + day,
            "hour": when.hour,
            "free": (MONDAY + day - 1) % 7 >= 5,
            "actor": "ann",
            "actor_type": "user",
            "ours": False,
            "action": "read",
            "verb": "read",
            "type": type,
            "id": id,
            "records": () if id == "*" else (f"{type}/{id}",),
            "result": "success",
            "ip": "10.0.0.1",
            "net": "10.0.0",
            "agent": "Firefox/",
            "session": "s-1",
            "behalf": None,
            "changed": (),
            "glass": False,
            "incomplete": False,
            "context": {},
            "prev_hash": f"{self.seq - 1:064x}",
            "hash": f"{self.seq:064x}",
            **fields,
        }
        given.setdefault("person", given["actor_type"] in ("user", "admin"))
        return Event(**given)

    def see(self, day: int = 0, hour: float = 9.0, **fields: Any) -> list[Finding]:
        """Let the baseline see an event, and return what it finds."""
        assert self.baseline is not None
        return list(self.baseline.see(self.event(day, hour, **fields)))

    def many(self, count: int, day: int = 0, hour: float = 9.0, **fields: Any) -> list[Finding]:
        """Let the baseline see events about different records, a second apart."""
        return [
            found
            for number in range(count)
            for found in self.see(day, hour + number / 3600, **{"id": f"r-{number}", **fields})
        ]


def rules(findings: Iterable[Finding]) -> list[str]:
    """Return the rules of some findings."""
    return [one.rule for one in findings]
