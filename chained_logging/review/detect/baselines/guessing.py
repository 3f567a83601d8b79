"""Somebody guesses the passwords of accounts, however slowly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chained_logging.review.detect.baselines.baseline import since
from chained_logging.review.detect.baselines.event import Event
from chained_logging.review.detect.baselines.past import renewed
from chained_logging.review.detect.finding import Finding

_WEEK: Final = 7
_FLOOR: Final = 10
"""Failed logins of an account in a week, from networks that it never used, that are not unusual."""
_WEEKS: Final = 5  # that are remembered, this one included
_KEPT: Final = 200
_NETS: Final = 100


class Guessing:
    """Knows the networks from which each account was used, and its failed logins of a week."""

    name = "guessing"

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._nets: dict[str, dict[str, int]] = state.setdefault("nets", {})
        self._failed: dict[str, list[Any]] = state.setdefault("failed", {})
        self._told: dict[str, list[int]] = state.setdefault("told", {})

    def see(self, event: Event) -> Iterable[Finding]:
        net = event.net
        if event.ours or net is None:
            return ()
        nets = self._nets.get(event.actor)
        if nets is not None and net in nets:
            return ()
        if event.result == "success":
            nets = nets if nets is not None else {}
            renewed(nets, net, event.day, _NETS)
            renewed(self._nets, event.actor, nets)
            return self._entered(event)
        return self._guessed(event) if event.verb == "login" else ()

    def _week(self, actor: str, day: int) -> list[Any]:
        return [one for one in self._failed.get(actor, []) if one[0] > day - _WEEK]

    def _most(self, actor: str, day: int) -> int:
        """Return how many there were in the worst of the weeks before."""
        weeks = [(day - one[0]) // _WEEK for one in self._failed.get(actor, [])]
        return max((weeks.count(week) for week in range(1, _WEEKS)), default=0)

    def _guessed(self, event: Event) -> Iterator[Finding]:
        kept = [*self._failed.get(event.actor, []), [event.day, event.seq, event.timestamp]]
        kept = [one for one in kept[-_KEPT:] if one[0] > event.day - _WEEKS * _WEEK]
        renewed(self._failed, event.actor, kept)
        failed = self._week(event.actor, event.day)
        told = self._told.get(event.actor, [0, 0])
        if told[0] <= event.day - _WEEK:
            told = [0, 0]
        count = len(failed)
        most = self._most(event.actor, event.day)
        if count <= max(_FLOOR, 2 * most, told[1]):
            return
        renewed(self._told, event.actor, [event.day, 2 * count])
        said = (
            f"{count} logins as {event.actor} failed in {_WEEK} days from networks that the "
            f"account never used; in the weeks before there were at most {most}"
        )
        seqs = [one[1] for one in failed]
        yield since(event, "password_guessing", "high", event.actor, said, seqs, failed[0][2])

    def _entered(self, event: Event) -> Iterator[Finding]:
        failed = self._week(event.actor, event.day)
        if len(failed) > _FLOOR:
            said = (
                f"{event.actor} came in from {event.net}, which the account never used, after "
                f"{len(failed)} logins from such networks had failed in {_WEEK} days"
            )
            seqs = [*(one[1] for one in failed), event.seq]
            first = failed[0][2]
            yield since(event, "password_guessed", "critical", event.actor, said, seqs, first)
