"""Somebody who acts in a user's name reads more than the user ever did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import since
from chained_logging.review.detect.baselines.calendar import date_text
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import DAYS, renewed, usual
from chained_logging.review.detect.finding import SHOWN, Finding

_FLOOR: Final = 10
_DISTINCT: Final = 5_000
_DAY, _SEEN, _SEQS, _FIRST, _TOLD = range(5)


class Impersonation:
    """Knows how many records each user used by day, and counts those used in their name."""

    name = "impersonation"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._own: dict[str, list[Any]] = state.setdefault("own", {})
        self._sessions: dict[str, list[Any]] = state.setdefault("sessions", {})

    def see(self, event: Event) -> Iterable[Finding]:
        if event.ours:
            return ()
        if event.behalf is None or event.behalf == event.actor:
            self._note(event)
            return ()
        return self._acted(event, event.behalf) if event.person else ()

    def _note(self, event: Event) -> None:
        """Note what a user does themselves: the day, its records, and the days before."""
        own = self._own.get(event.actor)
        if own is None or event.day > own[_DAY]:
            past = [*own[2], len(own[_SEEN])][-DAYS:] if own else []
            own = [event.day, {}, past]
            renewed(self._own, event.actor, own)
        seen = own[_SEEN]
        if len(seen) < _DISTINCT:
            for record in event.records:
                seen[record] = 1

    def _acted(self, event: Event, user: str) -> Iterator[Finding]:
        key = f"{event.actor} for {user}"
        session = self._sessions.get(key)
        if session is None or event.day > session[_DAY]:
            session = [event.day, {}, [], event.timestamp, 0]
            renewed(self._sessions, key, session, 2_000)
        seen, seqs = session[_SEEN], session[_SEQS]
        if len(seen) < _DISTINCT:
            seen.update(dict.fromkeys(event.records, 1))
        seqs.append(event.seq)
        del seqs[:-SHOWN]
        own = self._own.get(user)
        past = usual([*own[2], len(own[_SEEN])] if own else [], _FLOOR)
        # A day on which the user was not themselves raises what they ever did.
        if len(seen) > max(_FLOOR, min(past.limit, past.most), session[_TOLD]):
            session[_TOLD] = 2 * len(seen)
            said = (
                f"{event.actor}, in the name of {user}, used {len(seen)} different records on "
                f"{date_text(session[_DAY])}; {user} used a median of {past.median:g} a day, at "
                f"most {past.most}, on {past.days} days"
            )
            first = session[_FIRST]
            yield since(event, "impersonation", "high", key, said, seqs, first)
