"""All reviews of a log, and what is still to be reviewed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.event.values import timestamp_text
from chained_logging.format.vkey import VerifierKey
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.overview import own_entries
from chained_logging.review.period import Period
from chained_logging.review.query import Engine
from chained_logging.review.reviews.review import ACTIONS, START, Review, signature_of
from chained_logging.review.reviews.schedule import Every, ended

_GLASS: Final = re.compile(r"break.?(?:the.?)?glass|emergency.?access", re.IGNORECASE)
_BACK: Final = dt.timedelta(days=20 * 365)  # an event may claim any time: a list has an end
_MOST: Final = 1_000  # emergency accesses that are listed as overdue


class Overdue(NamedTuple):
    """What nobody has reviewed.

    :ivar since: since when it could have been reviewed.
    :ivar entries: the emergency accesses that it is about; none for a period.
    """

    title: str
    since: str
    entries: tuple[int, ...] = ()


class Register:
    """The reviews of a log.

    :param origin: the name of the log.
    :param keys: the reviewers' keys, from outside the log.
    :ivar reviews: by their number.
    """

    def __init__(self, origin: str, keys: Sequence[VerifierKey] = ()) -> None:
        self.reviews: dict[int, Review] = {}
        self._origin = origin
        self._keys = keys
        self._seq = -1

    def read(self, engine: Engine) -> None:
        """Take in what a log says since it was last read."""
        for entry in engine.every(own_entries(ANY, *ACTIONS).narrowed(first_seq=self._seq + 1)):
            self.add(entry)

    def add(self, entry: AuditEntry) -> None:
        """Take in one entry. What is not as such an entry is, is passed over."""
        self._seq = max(self._seq, entry.seq)
        try:
            if entry.action == START:
                self.reviews[entry.seq] = Review.of(entry)
                return
            review = self.reviews[entry.context["review"]]
            review.signatures.append(signature_of(entry, self._origin, review, self._keys))
        except (KeyError, TypeError, ValueError):
            return

    def open(self) -> list[Review]:
        """Return the reviews that were begun and that nobody signed."""
        return [review for review in self.reviews.values() if not review.signed]

    def overdue(self, engine: Engine, every: Every | None, now: dt.datetime) -> list[Overdue]:
        """Return what nobody has reviewed, the oldest first.

        :param every: which periods are to be reviewed; None for none.
        """
        found = [*self.overdue_periods(engine, every, now), *self._emergencies(engine)]
        return sorted(found, key=lambda one: one.since)

    def overdue_periods(
        self, engine: Engine, every: Every | None, now: dt.datetime
    ) -> Iterator[Overdue]:
        """Yield the periods of the last 20 years that nobody has reviewed, the oldest first.

        :param every: which periods are to be reviewed; None for none.
        """
        earliest = engine.scope().earliest
        if every is None or earliest is None:
            return
        signed = [one for one in self.reviews.values() if one.signed and not one.about]
        for period in ended(every, max(earliest, timestamp_text(now - _BACK)), now):
            if not _covered(period, earliest, signed):
                yield Overdue(f"Nobody has reviewed {period}", period.until)

    def _emergencies(self, engine: Engine) -> Iterator[Overdue]:
        reviewed = {seq for one in self.reviews.values() if one.signed for seq in one.about}
        left = (entry for entry in emergencies(engine) if entry.seq not in reviewed)
        for entry in islice(left, _MOST):
            what = f"{entry.resource_type}/{entry.resource_id}"
            said = f"Emergency access by {entry.actor_id} to {what} is to be reviewed"
            yield Overdue(said, entry.timestamp, (entry.seq,))


def emergencies(engine: Engine) -> Iterator[AuditEntry]:
    """Yield the entries about emergency access ("break the glass"), the oldest first."""
    found = {entry.seq: entry for entry in _candidates(engine) if is_emergency(entry)}
    yield from (found[seq] for seq in sorted(found))


def is_emergency(entry: AuditEntry) -> bool:
    """Whether an entry is about emergency access: by its action, or ``break_glass`` in context."""
    if entry.actor_id == OURSELVES:
        return False
    return bool(_GLASS.search(entry.action)) or bool(entry.context.get("break_glass"))


def _candidates(engine: Engine) -> Iterator[AuditEntry]:
    actions = [value for (value,) in engine.table(_ACTIONS).rows if _GLASS.search(str(value))]
    if actions:
        yield from engine.every(Filter(action=tuple(actions)))
    yield from engine.every(Filter(text=("break_glass",)))


_ACTIONS: Final = "SELECT DISTINCT action FROM found"


def _covered(period: Period, earliest: str, signed: Sequence[Review]) -> bool:
    """Whether a review saw all of a period, which had ended when the review was begun."""
    since = max(period.since, earliest)
    return any(one.since <= since and period.until <= min(one.until, one.started) for one in signed)
