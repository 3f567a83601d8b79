"""A detector for tests: it finds each entry whose result is denied."""

from __future__ import annotations

from collections.abc import Iterator

from chained_logging.review.detect.finding import Finding, Severity
from chained_logging.review.filter import Filter
from chained_logging.review.query import Engine


class Denials:
    """See :class:`chained_logging.review.detect.finding.Detector`."""

    def __init__(self, name: str = "denials", severity: Severity = "high") -> None:
        self.name = name
        self._severity = severity
        self.looked: list[tuple[int, int]] = []

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        self.looked.append((after, upto))
        wanted = Filter(result=("denied",), first_seq=after + 1, last_seq=upto)
        for entry in log.every(wanted):
            who, when = entry.actor_id, entry.timestamp
            sentence = f"{who} was denied {entry.resource_id}."
            yield Finding(self.name, self._severity, who, (entry.seq,), 1, when, when, sentence)


class Broken:
    """A detector that cannot look."""

    name = "broken"

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        raise ValueError("its rule is not one")
        yield


def finding(**fields: object) -> Finding:
    """Return a finding with some fields of its own."""
    moment = "2026-03-02T10:00:00.000000Z"
    base = Finding("a-rule", "high", "ann", (1,), 1, moment, moment, "Ann did it.")
    return base._replace(**fields)
