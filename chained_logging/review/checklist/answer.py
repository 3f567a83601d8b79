"""What a probe found, and what that means for a point or a clause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from chained_logging.event.values import timestamp_text


class Status(StrEnum):
    """How it is with something that was asked."""

    MET = "met"
    NOT_MET = "not met"
    UNSEEN = "not checkable from here"


class Seen(NamedTuple):
    """A piece of evidence that was looked at.

    :ivar what: what was read, such as ``entries with a missing field``.
    :ivar where: where it was read: a file, a store, a command.
    :ivar value: what it was.
    :ivar at: when it was read, in the form of an entry's ``timestamp``.
    """

    what: str
    where: str
    value: str
    at: str


@dataclass(frozen=True)
class Found:
    """What a probe found.

    :ivar sentence: why it says so.
    :ivar seen: what it looked at.
    :ivar mend: the command, or the setting, that mends it; None if there is nothing to mend.
    :ivar probe: the name of the probe.
    :raises ValueError: if something is called met that was not looked at, or not met without a way
        to mend it.
    """

    status: Status
    sentence: str
    seen: tuple[Seen, ...] = ()
    mend: str | None = None
    probe: str = ""

    def __post_init__(self) -> None:
        if self.status is Status.MET and not self.seen:
            raise ValueError(f"nothing is met unseen: {self.sentence}")
        if self.status is Status.NOT_MET and not self.mend:
            raise ValueError(f"what is not met can be mended: {self.sentence}")


def met(sentence: str, *seen: Seen) -> Found:
    """Return that something holds, with what shows it."""
    return Found(Status.MET, sentence, seen)


def not_met(sentence: str, mend: str, *seen: Seen) -> Found:
    """Return that something does not hold, how to mend it, and what shows it."""
    return Found(Status.NOT_MET, sentence, seen, mend)


def unseen(sentence: str, *seen: Seen, mend: str | None = None) -> Found:
    """Return that something could not be looked at, and why."""
    return Found(Status.UNSEEN, sentence, seen, mend)


def saw(what: str, where: str, value: object) -> Seen:
    """Return a piece of evidence that was looked at now."""
    return Seen(what, where, str(value), timestamp_text(dt.datetime.now(dt.UTC)))


@dataclass(frozen=True)
class Answer:
    """How it is with one of the ten points, or with a clause.

    :ivar number: the point's number, or the clause's as its standard has it.
    :ivar title: the point's title, or a short quotation of the clause.
    :ivar found: what the probes found that it needs.
    :ivar gives: what an audit log gives.
    :ivar yours: what stays the reader's own duty.
    :ivar beyond: what of it nobody can see from here; None if all of it can be seen. Then it is
        never met.
    """

    kind: Literal["point", "clause"]
    number: str
    title: str
    found: tuple[Found, ...]
    gives: str
    yours: str
    beyond: str | None = None

    @property
    def status(self) -> Status:
        """Not met if one probe says so; met if all of them do and nothing lies beyond."""
        statuses = {one.status for one in self.found}
        if Status.NOT_MET in statuses:
            return Status.NOT_MET
        if self.beyond is not None or Status.UNSEEN in statuses or not statuses:
            return Status.UNSEEN
        return Status.MET

    @property
    def name(self) -> str:
        """The point or the clause, for people."""
        return f"{self.kind} {self.number}" if self.kind == "point" else self.number


def joined(parts: Sequence[Found]) -> Found:
    """Return what several looks at the same matter amount to, such as at one store after another.

    It is not met if one is not met, and not checkable if one is not.
    """
    worst = next(
        (s for s in (Status.NOT_MET, Status.UNSEEN) if s in {one.status for one in parts}),
        Status.MET,
    )
    seen = tuple(piece for one in parts for piece in one.seen)
    telling = [one for one in parts if one.status is worst]
    sentences = dict.fromkeys(one.sentence for one in telling)
    mends = dict.fromkeys(one.mend for one in telling if one.mend)
    return Found(worst, "; ".join(sentences), seen, "; ".join(mends) or None)
