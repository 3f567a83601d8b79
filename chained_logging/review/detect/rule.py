"""Rules as they are run: a condition in SQL, or a correlation of other rules.

:mod:`chained_logging.review.detect.sigma` makes them from YAML. Those that come with the package
are made already, in ``rules/compiled.json``: ``tools/build_rules.py`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, NamedTuple

from chained_logging.review.detect.finding import Severity

Kind = Literal["event_count", "value_count", "temporal", "temporal_ordered"]
SUBJECT: Final = "actor_id"
"""The field that a finding of one rule is about."""


class Part(NamedTuple):
    """A rule that a correlation is over.

    :ivar rule: its name.
    :ivar group: its fields whose values must be equal.
    :ivar value: its field whose values are counted; None where entries are.
    """

    rule: str
    group: tuple[str, ...]
    value: str | None = None


class Correlation(NamedTuple):
    """What several entries have to do with each other.

    :ivar span: seconds within which they must be.
    :ivar least: how many it takes: of entries, of values, of parts.
    """

    kind: Kind
    parts: tuple[Part, ...]
    span: int
    least: int


Needs = tuple[tuple[str, tuple[str, ...]], ...]
"""Fields, each with some values in lower case."""


class Rule(NamedTuple):
    """A rule that is ready to be run.

    :ivar name: what findings call it. Correlations name it too.
    :ivar why: what it means that the rule fits, as a sentence.
    :ivar sql: a condition on a row of ``entries`` (:mod:`chained_logging.review.detect.bench`);
        None for a correlation.
    :ivar fields: those of the condition.
    :ivar raises: whether its matches are findings, or only parts of a correlation.
    :ivar needs: the condition is true only of entries in which one of these fields has one of its
        values, in any case; empty where that is not known.
    """

    name: str
    severity: Severity
    why: str
    sql: str | None = None
    fields: tuple[str, ...] = ()
    correlation: Correlation | None = None
    raises: bool = True
    needs: Needs = ()


def needed(rules: Iterable[Rule]) -> set[str]:
    """Return the fields that some rules ask for."""
    found = {SUBJECT}
    for rule in rules:
        found.update(rule.fields)
        for part in rule.correlation.parts if rule.correlation else ():
            found.update(part.group)
            found.update({part.value} - {None})  # type: ignore[arg-type]  # None is taken out
    return found


def to_json(rules: Iterable[Rule]) -> str:
    """Return rules as JSON, one a line as far as possible."""
    return "[\n" + ",\n".join(json.dumps(_plain(rule)) for rule in rules) + "\n]\n"


def _plain(rule: Rule) -> dict[str, Any]:
    found = rule._asdict()
    if rule.correlation:
        found["correlation"] = rule.correlation._asdict()
        found["correlation"]["parts"] = [part._asdict() for part in rule.correlation.parts]
    return {name: value for name, value in found.items() if value not in (None, ())}


def from_json(text: str) -> list[Rule]:
    """Return the rules in a text of :func:`to_json`."""
    return [_rule(**given) for given in json.loads(text)]


def _rule(correlation: dict[str, Any] | None = None, **given: Any) -> Rule:
    given["fields"] = tuple(given.get("fields", ()))
    given["needs"] = tuple((field, tuple(values)) for field, values in given.get("needs", ()))
    return Rule(**given, correlation=_correlation(**correlation) if correlation else None)


def _correlation(parts: list[dict[str, Any]], **given: Any) -> Correlation:
    made = (Part(one["rule"], tuple(one["group"]), one["value"]) for one in parts)
    return Correlation(parts=tuple(made), **given)


@cache
def shipped() -> tuple[Rule, ...]:
    """Return the rules that come with the package."""
    text = resources.files(__package__).joinpath("rules/compiled.json").read_text("utf-8")
    return tuple(from_json(text))
