"""What a baseline is, and how its findings are put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.tally import Excess
from chained_logging.review.detect.finding import SHOWN, Finding, Severity


class Baseline(Protocol):
    """Looks at one entry after the other, and remembers what it needs of them.

    :ivar name: of the file of the detector.
    :ivar state: all that it remembers, as plain JSON values with bounded tables.
    """

    name: str
    state: dict[str, Any]

    def see(self, event: Event) -> Iterable[Finding]:
        """Take in an entry, and return what is found with it. Nearly always, that is ``()``."""


def at(event: Event, rule: str, severity: Severity, subject: str, sentence: str) -> Finding:
    """Return a finding about one entry."""
    time = event.timestamp
    return Finding(rule, severity, subject, (event.seq,), 1, time, time, sentence)


def since(
    event: Event,
    rule: str,
    severity: Severity,
    subject: str,
    sentence: str,
    entries: Iterable[int],
    first: str,
    count: int | None = None,
) -> Finding:
    """Return a finding about several entries, of which `event` is the last.

    :param entries: their ``seq``; the last ones are kept.
    :param count: how many there are in all, if more than `entries` says.
    """
    seqs = tuple(sorted(set(entries)))
    return Finding(
        rule,
        severity,
        subject,
        seqs[-SHOWN:],
        max(len(seqs), count or 0),
        min(first, event.timestamp),
        event.timestamp,
        sentence,
    )


def exceeding(
    event: Event, rule: str, severity: Severity, subject: str, excess: Excess, did: str
) -> Finding:
    """Return a finding about a day on which somebody did too much.

    :param did: who did what how often on which day.
    """
    sentence = f"{did}; {excess.against}"
    return since(
        event, rule, severity, subject, sentence, excess.entries, excess.first, excess.count
    )
