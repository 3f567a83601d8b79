"""What was asked, of which log and when: what every form of the answers says first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from chained_logging.event.values import timestamp_text
from chained_logging.review.checklist.answer import Answer
from chained_logging.review.checklist.clauses import Standard


@dataclass(frozen=True)
class Checklist:
    """A checklist with its answers.

    :ivar log: what the log is called.
    :ivar begun: when the first look began, in the form of an entry's ``timestamp``.
    :ivar ended: when the last one ended.
    """

    log: str
    standard: Standard
    answers: Sequence[Answer]
    begun: str
    ended: str

    @property
    def points(self) -> list[Answer]:
        """The ten points."""
        return [one for one in self.answers if one.kind == "point"]

    @property
    def clauses(self) -> list[Answer]:
        """The standard's clauses."""
        return [one for one in self.answers if one.kind == "clause"]


def now() -> str:
    """Return the time, in the form of an entry's ``timestamp``."""
    return timestamp_text(dt.datetime.now(dt.UTC))
