"""Retention policies: how long which entries are kept, by which rule, and for what.

They are tables of the configuration, ``[retention.NAME]``. The longest policy that applies to an
entry wins, and an entry to which none applies stays.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chained_logging.config import ConfigError
from chained_logging.event.values import timestamp_text
from chained_logging.ship.retention import STANDARDS, Standard, retention_days

SELECTING: Final = ("resource_type", "action", "tenant_id")
"""The fields by which a policy selects entries."""
_TEXTS: Final = ("standard", "period", "at_hand", "purpose", "clause")
_KEYS: Final = (*_TEXTS, *SELECTING)
_MARGIN: Final = dt.timedelta(seconds=1)  # clocks step back


@dataclass(frozen=True)
class Policy:
    """How long entries are kept.

    :ivar name: of the policy.
    :ivar days: the period.
    :ivar standard: the name of the rule that requires it, if one does.
    :ivar clause: where that rule says so, or what else requires it.
    :ivar purpose: what the entries are kept for.
    :ivar at_hand: for how many days they must be there without being fetched from an archive.
    :ivar resource_type: the types of resources that it is about; empty for all. So are `action`
        and `tenant_id`.
    """

    name: str
    days: int
    standard: str | None = None
    clause: str | None = None
    purpose: str | None = None
    at_hand: int | None = None
    resource_type: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    tenant_id: tuple[str, ...] = ()

    def selector(self) -> dict[str, list[str]]:
        """Return what it selects by, for an entry's context."""
        given = {name: list(getattr(self, name)) for name in SELECTING}
        return {name: values for name, values in given.items() if values}

    def before(self, now: dt.datetime) -> str:
        """Return the time before which entries have been kept for long enough."""
        return timestamp_text(now - dt.timedelta(days=self.days) - _MARGIN)

    def selects(self, kind: Kind) -> bool:
        """Whether it applies to entries of a kind, by their own resource, action and tenant."""
        return selects(self.selector(), kind._asdict())

    def concerns(self, kind: Kind) -> bool:
        """As :meth:`selects`, or by a type among the further resources that an entry names."""
        return any(self.selects(kind._replace(resource_type=type_)) for type_ in kind.types())

    def words(self) -> str:
        """Return the rule, the period and what is selected: ``hipaa, 2,192 days, …``."""
        parts = [*([self.standard] if self.standard else []), f"{self.days:,} days"]
        parts += [f"{name} {' or '.join(values)}" for name, values in self.selector().items()]
        return ", ".join(parts)


class Kind(NamedTuple):
    """What policies tell entries apart by."""

    resource_type: str
    action: str
    tenant_id: str | None
    further: tuple[str, ...] = ()
    """The types of the further resources that an entry names, each once."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Kind:
        """Return the kind of an entry.

        :raises ValueError: if its fields are not those of an entry; also KeyError and TypeError.
        """
        further = {each["type"] for each in fields.get("resources") or ()}
        kind = fields["resource_type"], fields["action"], fields.get("tenant_id")
        return cls(*kind, tuple(sorted(further)))

    def types(self) -> Iterator[str]:
        """Yield the type of each resource that an entry names."""
        yield self.resource_type
        yield from self.further


def selects(selector: Mapping[str, Sequence[str]], fields: Mapping[str, Any]) -> bool:
    """Whether each field that a selector names has one of the values that it gives."""
    return all(fields.get(name) in values for name, values in selector.items())


class Chosen(NamedTuple):
    """Which policy decides about entries of a kind.

    :ivar policy: the one under which they are removed.
    :ivar longest: the one that decides how long they are kept. It may apply only because of a
        further resource; `policy` then names one that applies by the entry's own fields.
    :ivar shorter: others that apply, with a shorter period.
    """

    policy: Policy
    longest: Policy
    shorter: tuple[Policy, ...]


def choose(policies: Sequence[Policy], kind: Kind) -> Chosen | None:
    """Return the policies that decide about entries of a kind; None if they stay."""
    concerned = [policy for policy in policies if policy.concerns(kind)]
    strict = [policy for policy in concerned if policy.selects(kind)]
    if not strict:
        return None
    longest = max(concerned, key=lambda policy: policy.days)
    shorter = tuple(policy for policy in concerned if policy.days < longest.days)
    return Chosen(max(strict, key=lambda policy: policy.days), longest, shorter)


# --- From the configuration.


def policies_from(tables: Mapping[str, Mapping[str, Any]]) -> list[Policy]:
    """Return the policies that a configuration holds, in its order.

    :param tables: as :func:`chained_logging.config.retention` returns them.
    :raises ConfigError: if one is not valid, with what must hold.
    """
    return [_policy(name, table) for name, table in tables.items()]


def _policy(name: str, table: Mapping[str, Any]) -> Policy:
    def refuse(sentence: str) -> ConfigError:
        return ConfigError(f"retention.{name}: {sentence}")

    if not name.isprintable() or not 0 < len(name) <= 100:
        raise refuse("the name of a policy must be 1 to 100 printable characters")
    for key, value in table.items():
        _check(key, value, refuse)
    standard = table.get("standard")
    if standard is not None and standard not in STANDARDS:
        raise refuse(f"standard must be one of {', '.join(STANDARDS)}")
    rule = STANDARDS[standard] if standard is not None else Standard("", None)
    purpose = table.get("purpose")
    if rule.purpose and not (purpose or "").strip():
        raise refuse(f"{standard} requires a purpose: what the entries are kept for")
    days = _days(table, rule, refuse)
    at_hand = _period(table["at_hand"], refuse) if "at_hand" in table else rule.at_hand
    if at_hand is not None and at_hand > days:
        raise refuse(f"at_hand must not be longer than the period, which is {days:,} days")
    values = {key: tuple(table.get(key, ())) for key in SELECTING}
    clause = table.get("clause") or rule.clause or None
    return Policy(name, days, standard, clause, purpose, at_hand, **values)


def _check(key: str, value: Any, refuse: Callable[[str], ConfigError]) -> None:
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, 1)
        raise refuse(f"{key} is not a setting{f'; did you mean {near[0]}?' if near else ''}")
    if key in _TEXTS and not isinstance(value, str):
        raise refuse(f"{key} must be a string")
    if key in SELECTING and not (
        isinstance(value, list) and value and all(isinstance(each, str) for each in value)
    ):
        raise refuse(f"{key} must be a list of strings, and not empty")


def _days(table: Mapping[str, Any], rule: Standard, refuse: Callable[[str], ConfigError]) -> int:
    if "period" not in table:
        if rule.days is None:
            raise refuse("give a standard that has a period, or a period such as 90d, 18m or 6y")
        return rule.days
    days = _period(table["period"], refuse)
    if rule.days is not None and days < rule.days:
        raise refuse(
            f"{table['standard']} requires {rule.days:,} days, and the period is {days:,}: "
            "leave it out, or give a longer one"
        )
    return days


def _period(text: str, refuse: Callable[[str], ConfigError]) -> int:
    try:
        return retention_days(text)
    except ValueError as problem:
        raise refuse(str(problem)) from None
