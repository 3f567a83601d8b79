"""What a detector yields: which entries somebody should look at, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, Protocol, get_args

from chained_logging.review.query import Engine

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""All severities, the least first."""
SHOWN: Final = 100
"""Entries that a finding names at most."""


class Finding(NamedTuple):
    """Entries that somebody should look at.

    Two findings with one ``rule`` and one ``subject`` are about the same thing, and an alert may
    join them.

    :ivar rule: the name of the rule or the baseline.
    :ivar severity: one of :data:`SEVERITIES`.
    :ivar subject: what it is about, such as an actor.
    :ivar entries: the ``seq`` of the first entries, in order, at most :data:`SHOWN`.
    :ivar count: how many entries there are in all.
    :ivar first: the ``timestamp`` of the earliest of them.
    :ivar last: the ``timestamp`` of the latest.
    :ivar sentence: why, in plain words.
    """

    rule: str
    severity: Severity
    subject: str
    entries: tuple[int, ...]
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    first: str
    last: str
    sentence: str


class Detector(Protocol):
    """Looks for something in the entries of a log.

    :ivar name: what messages call it.
    """

    @property
    def name(self) -> str: ...

    def findings(self, log: Engine, after: int, upto: int) -> Iterator[Finding]:
        """Yield what is found in the entries with ``after < seq <= upto``.

        The entries before are context: they are looked at, and no finding is about them alone.

        :param after: the last ``seq`` that was looked at before; -1 for none.
        :param upto: the last ``seq`` to look at.
        :raises OSError: if the log cannot be read; also LogError.
        """
