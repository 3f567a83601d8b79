"""Legal holds: the entries that begin and end one, and a hold in words."""

from __future__ import annotations

from typing import Final

from chained_logging.event.entry import AuditEntry
from chained_logging.log import AuditLog
from chained_logging.review.filter import Filter
from chained_logging.review.reading import Reader
from chained_logging.ship.holds import ADD, RELEASE, Covered, holds_of
from chained_logging.text import printable

_LONGEST: Final = 200


def words(covered: Covered) -> str:
    """Return what a hold covers as the end of a sentence: ``by ann, about patient_record/456``."""
    resource = "/".join(filter(None, (covered.resource_type, covered.resource_id)))
    return Filter(
        actor=_one(covered.actor_id),
        action=_one(covered.action),
        resource=_one(resource or None),
        tenant=_one(covered.tenant_id),
        since=covered.since,
        until=covered.until,
    ).words()


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def add_hold(log: AuditLog, case: str, covered: Covered, reason: str, person: Reader) -> AuditEntry:
    """Append the entry that keeps what is covered, from now on and before.

    :param case: the name by which the hold is released: 1 to 200 printable characters.
    :raises ValueError: if the case or the reason is not a text of that kind.
    :raises OSError: if it cannot be written; also LogError.
    """
    context = {**person.about, "case": _named(case), "filter": covered.filter()}
    return log.decide(ADD, context, loosens=False, on_behalf_of=person.name, reason=_given(reason))


def release_holds(log: AuditLog, case: str, reason: str, person: Reader) -> AuditEntry:
    """Append the entry that ends all holds of a case.

    :raises KeyMissing: if the log has a key, and was opened without.
    :raises ValueError: if the log has no hold of this case.
    :raises OSError: if it cannot be written; also LogError.
    """
    if not any(hold.case == case for hold in holds_of(log).active):
        raise ValueError(f"the log holds nothing for the case {printable(case)!r}: see hold list")
    context = {**person.about, "case": case}
    return log.decide(
        RELEASE, context, loosens=True, on_behalf_of=person.name, reason=_given(reason)
    )


def _named(case: str) -> str:
    case = case.strip()
    if not case or len(case) > _LONGEST or not case.isprintable():
        raise ValueError(f"the case must be a name of 1 to {_LONGEST} printable characters")
    return case


def _given(reason: str) -> str:
    if not reason.strip():
        raise ValueError("a reason must be given: holds are reviewed")
    return reason
