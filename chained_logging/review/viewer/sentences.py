"""An entry as a sentence: ``ann read patient_record/456 from 10.0.0.1: denied``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.review.reading import READ
from chained_logging.review.rows import more

SOMEBODY: Final = "somebody"
"""Who acted, where that is not shown."""


class Sentence(NamedTuple):
    """The parts of a sentence. Others wrote them.

    :ivar actor: who acted; None if that is not shown, or the log wrote the entry itself.
    :ivar who: the actor, as the sentence calls them.
    :ivar kind: the actor's type, if it is not a user.
    :ivar behalf: for whom they acted.
    :ivar resource: what they acted on, as a filter finds it; None if it is the log, or not shown.
    :ivar more: how many further resources there were: `` +2``.
    :ivar covered: whether a signed checkpoint covers the entry; None if that is not known yet.
    :ivar incomplete: whether a field was missing or not valid.
    """

    seq: int
    timestamp: str
    actor: str | None
    who: str
    kind: str | None
    behalf: str | None
    action: str
    resource: str | None
    more: str
    address: str | None
    result: str
    reason: str | None
    covered: bool | None
    incomplete: bool

    @property
    def day(self) -> str:
        """The day in UTC."""
        return self.timestamp[:10]

    @property
    def text(self) -> str:
        """The sentence as text."""
        parts = [
            self.who,
            f"({self.kind})" if self.kind else None,
            f"for {self.behalf}" if self.behalf else None,
            self.action,
            f"{self.resource}{self.more}" if self.resource else None,
            f"from {self.address}" if self.address else None,
        ]
        return " ".join(part for part in parts if part) + f": {self.result}"


def sentence(entry: AuditEntry, covered: int | None) -> Sentence:
    """Return an entry as a sentence.

    :param covered: the last entry that a signed checkpoint covers; None if it is not known yet.
    """
    own = (entry.actor_id, entry.actor_type) == (OURSELVES, "system")
    read = own and entry.action == READ and entry.on_behalf_of is not None
    return Sentence(
        seq=entry.seq,
        timestamp=entry.timestamp,
        actor=None if own else entry.actor_id,
        who=entry.on_behalf_of if read else "the log" if own else entry.actor_id or SOMEBODY,
        kind=None if own or entry.actor_type == "user" else entry.actor_type,
        behalf=None if read else entry.on_behalf_of,
        action="read this log" if read else entry.action,
        resource=None if own else _resource(entry),
        more=more(entry),
        address=entry.ip_address,
        result=entry.result,
        reason=entry.reason,
        covered=None if covered is None else entry.seq <= covered,
        incomplete=entry.incomplete,
    )


def _resource(entry: AuditEntry) -> str | None:
    fields: dict[str, Any] = entry.fields
    named = [fields[name] for name in ("resource_type", "resource_id") if fields.get(name)]
    return "/".join(named) or None
