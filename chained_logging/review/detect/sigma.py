"""Makes rules of YAML in Sigma's form, with pySigma: the extra ``sigma``.

See https://sigmahq.io/sigma-specification. A rule says what it is about in its ``logsource``:
``product: chained_logging`` for any log, or a product of
:data:`chained_logging.review.detect.fields.LOGSOURCES`, whose rules are taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from sigma.backends.sqlite.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionOR
from sigma.conversion.state import ConversionState
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule, SigmaRuleReference
from sigma.exceptions import SigmaError
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaCIDRExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
)

from chained_logging.review.detect.bench import RuleError, expression, quoted
from chained_logging.review.detect.fields import BODY, LOGSOURCES, SINGLE
from chained_logging.review.detect.finding import SEVERITIES, Severity
from chained_logging.review.detect.rule import Correlation, Kind, Needs, Part, Rule
from chained_logging.text import printable

MAX_FILE: Final = 1 << 20
"""Largest size of a file of rules, in bytes."""
MAX_DEPTH: Final = 50
"""Levels of lists and mappings in a file of rules."""
MAX_FIELD: Final = 200
"""Characters in a field's name."""
MAX_COUNT: Final = 100_000
"""The highest count that a correlation can ask for: so many matches may be kept for each group."""
MAX_WHY: Final = 300
"""Characters of a rule's description in a finding."""
MAX_SQL: Final = 500_000
"""Characters in the condition of a rule."""
_VALUE: Final = "\0"  # a field that no rule can name
_MEDIUM: Final[Severity] = "medium"


def load(paths: Iterable[Path]) -> list[Rule]:
    """Return the rules in some files, or in all ``.yml`` files of folders.

    :raises RuleError: if one cannot be run: the first one, and why.
    :raises OSError: if one cannot be read.
    """
    rules, refused = load_some(paths)
    if refused:
        raise RuleError(refused[0])
    return rules


def load_some(paths: Iterable[Path]) -> tuple[list[Rule], list[str]]:
    """Return the rules that can be run, and of each file with others, why they cannot.

    The files are one set: a correlation may be over a rule in another file.
    """
    documents: list[Any] = []
    refused: list[str] = []
    for path in _files(paths):
        try:
            documents += _collection(_text(path)).rules
        except _PROBLEMS as problem:
            refused.append(f"{path}: {_said(problem)}")
    made, others = _made(documents)
    return made, refused + others


def of_text(text: str) -> list[Rule]:
    """Return the rules in a text of YAML.

    :raises RuleError: if one cannot be run.
    """
    try:
        rules, refused = _made(_collection(text).rules)
    except _PROBLEMS as problem:
        raise RuleError(_said(problem)) from None
    if refused:
        raise RuleError(refused[0])
    return rules


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*.yml")) if path.is_dir() else [path]


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise RuleError(f"must have at most {MAX_FILE:,} bytes")
    return data.decode()


def _collection(text: str) -> SigmaCollection:
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RuleError("must have no aliases of YAML: they can stand for any amount of text")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:  # the parser takes a time that grows with the square
            raise RuleError(f"must not be nested deeper than {MAX_DEPTH} levels")
    return SigmaCollection.from_yaml(text, resolve_references=False)


_PROBLEMS: Final = (
    *(SigmaError, RuleError, yaml.YAMLError, RecursionError),
    *(ValueError, TypeError, AttributeError, KeyError),
)
"""What pySigma and the parser raise for files that are not rules."""


def _said(problem: BaseException) -> str:
    return printable(" ".join(str(problem).split()) or type(problem).__name__)


def _made(documents: list[SigmaRule | SigmaCorrelationRule]) -> tuple[list[Rule], list[str]]:
    """Return rules, each after those that it is over; and why others cannot be run."""
    refused: list[str] = []
    complete = _complete(documents, refused)
    conversion = _Conversion()
    for rule in SigmaCollection([*complete]).rules:
        try:
            conversion.add(rule)
        except _PROBLEMS as problem:
            refused.append(f"the rule {printable(rule.title)!r}: {_said(problem)}")
    return conversion.rules, refused


def _complete(
    documents: list[SigmaRule | SigmaCorrelationRule], refused: list[str]
) -> list[SigmaRule | SigmaCorrelationRule]:
    """Return the rules without correlations that are over a rule that is not there.

    A correlation that is left out is not there for another one either.
    """
    complete = _over_known(documents, refused)
    while len(complete) < len(documents):
        documents, complete = complete, _over_known(complete, refused)
    return complete


def _over_known(
    documents: list[SigmaRule | SigmaCorrelationRule], refused: list[str]
) -> list[SigmaRule | SigmaCorrelationRule]:
    known = {str(name) for rule in documents for name in (rule.id, rule.name) if name}
    complete = []
    for rule in documents:
        over = rule.rules or [] if isinstance(rule, SigmaCorrelationRule) else []
        missing = [reference.reference for reference in over if reference.reference not in known]
        if missing:
            refused.append(f"the rule {printable(rule.title)!r}: there is no rule {missing[0]!r}")
        else:
            complete.append(rule)
    return complete


class _Conversion:
    """Rules as pySigma has them become ours, one by one, in an order that suits correlations."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._names: dict[int, str] = {}
        self._backend: Any = _Backend(_pipeline())  # type: ignore[no-untyped-call]

    def add(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        name = rule.name or rule.title or str(rule.id)
        if name in self._names.values():
            name = f"{name} ({rule.id or len(self.rules)})"
        level = rule.level.name.lower() if rule.level else _MEDIUM
        severity = next((each for each in SEVERITIES if each == level), _MEDIUM)
        why = printable(" ".join((rule.description or rule.title).split()))[:MAX_WHY]
        made = Rule(printable(name), severity, _sentence(why), raises=rule._output)
        if isinstance(rule, SigmaCorrelationRule):
            made = made._replace(correlation=self._correlation(rule))
        else:
            sql, fields = self._condition(rule)
            made = made._replace(sql=sql, fields=fields, needs=_needs(rule))
        self._names[id(rule)] = made.name
        self.rules.append(made)

    def _condition(self, rule: SigmaRule) -> tuple[str, tuple[str, ...]]:
        if rule.logsource.product not in LOGSOURCES:
            products = ", ".join(LOGSOURCES)
            raise RuleError(f"its logsource must have one of the products {products}")
        # What pySigma returns is empty for a rule that is only a part of others.
        conditions = self._backend.convert_rule(rule) or rule.get_conversion_result()
        if not conditions:
            raise RuleError("must have a condition")
        sql = " OR ".join(f"({each})" for each in conditions)
        if len(sql) > MAX_SQL or "\0" in sql:
            raise RuleError(f"must become at most {MAX_SQL:,} characters of SQL, without U+0000")
        return sql, tuple(self._backend.required_fields(rule))

    def _correlation(self, rule: SigmaCorrelationRule) -> Correlation:
        kind = next((each for each in get_args(Kind) if each == rule.type.name.lower()), None)
        if kind is None or not isinstance(rule.condition, SigmaCorrelationCondition):
            raise RuleError(f"must be one of {', '.join(get_args(Kind))}, with a plain condition")
        self._backend.mapped(rule)
        parts = tuple(self._part(rule, each) for each in rule.referenced_rules)
        span = rule.timespan.seconds
        if span <= 0:
            raise RuleError("must have a timespan of a second or more")
        return Correlation(kind, parts, span, _least(rule.condition))

    def _part(self, rule: SigmaCorrelationRule, reference: SigmaRuleReference) -> Part:
        if id(reference.rule) not in self._names:
            raise RuleError(f"the rule {reference.reference!r}, which it is over, cannot be run")
        names = (reference.reference, reference.rule.name, str(reference.rule.id))
        alias = {
            alias.alias: field
            for alias in rule.aliases
            for target, field in alias.mapping.items()
            if target.reference in names
        }
        group = tuple(checked(alias.get(field, field)) for field in rule.group_by or ())
        value = getattr(rule.condition, "fieldref", None)
        if isinstance(value, list):
            raise RuleError("must count the values of one field")
        value = checked(alias.get(value, value)) if value else None
        return Part(self._names[id(reference.rule)], group, value)


def _needs(rule: SigmaRule) -> Needs:
    """Return the fields and values without which a rule that was converted cannot fit."""
    conditions = rule.detection.parsed_condition
    found = _need(conditions[0].parsed) if len(conditions) == 1 else {}
    return tuple((field, tuple(sorted(values))) for field, values in sorted(found.items()))


_Need = dict[str, set[str]]  # values by their field; empty if nothing is needed


def _need(condition: Any) -> _Need:
    """Return what an entry needs for a condition to be true of it."""
    if isinstance(condition, ConditionAND):  # all are needed, so any is: one that few entries have
        return min((found for found in map(_need, condition.args) if found), key=_worth, default={})
    if isinstance(condition, ConditionOR):
        each = [_need(part) for part in condition.args]
        return _merged(each) if all(each) else {}
    if not isinstance(condition, ConditionFieldEqualsValueExpression):
        return {}
    value = condition.value
    if not isinstance(value, SigmaString) or value.contains_special():
        return {}
    return {condition.field: {"".join(map(str, value.s)).lower()}}


def _merged(each: Iterable[_Need]) -> _Need:
    merged: _Need = {}
    for found in each:
        for field, values in found.items():
            merged.setdefault(field, set()).update(values)
    return merged


def _worth(found: _Need) -> tuple[int, int]:
    """Return a number for what is needed: the less, the fewer entries have it."""
    return sum(field in _COMMON for field in found), sum(map(len, found.values()))


_COMMON: Final = frozenset({"result", "actor_type", "eventSource", "userIdentity.type"})
"""Fields of which many entries have the same value."""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _least(condition: SigmaCorrelationCondition) -> int:
    operator = condition.op.name
    if operator not in ("GTE", "GT") or not 0 <= condition.count <= MAX_COUNT:
        raise RuleError(f"its condition must be gte or gt, and at most {MAX_COUNT:,}")
    return max(1, int(condition.count) + (operator == "GT"))


def _pipeline() -> ProcessingPipeline:
    """Return what gives the fields of each product the names that they have here."""
    return ProcessingPipeline(
        items=[
            ProcessingItem(
                FieldMappingTransformation(dict(names)),  # type: ignore[arg-type]  # str is str | None
                rule_conditions=[LogsourceCondition(product=product)],
            )
            for product, names in LOGSOURCES.items()
            if names
        ]
    )


def checked(field: str) -> str:
    """Return the name of a field.

    :raises RuleError: if it is too long, or holds what cannot be seen.
    """
    if not 0 < len(field) <= MAX_FIELD or not field.isprintable():
        raise RuleError(f"a field must have 1 to {MAX_FIELD} characters that can be printed")
    return field


class _Backend(sqliteBackend):
    """Conditions on the table ``entries`` of a :class:`chained_logging.review.detect.bench.Bench`.

    The table's columns ignore case. So this does not ask for it, which would cost the index.
    """

    fulltext_field = BODY
    # All columns are text: numbers are compared as numbers where they are some.
    compare_op_expression = "({field} GLOB '[-0-9]*' AND CAST({field} AS REAL) {operator} {value})"

    def mapped(self, rule: SigmaCorrelationRule) -> None:
        """Give the fields of a correlation the names that they have here."""
        self.init_processing_pipeline(None)
        self.last_processing_pipeline.apply(rule)

    def finalize_query_default(self, rule: Any, query: str, index: int, state: Any) -> str:
        return query

    def escape_and_quote_field(self, field: str) -> str:
        return "s.value" if field == _VALUE else quoted(checked(field))

    def convert_value_re(self, r: SigmaRegularExpression, state: ConversionState) -> str:
        made: str = super().convert_value_re(r, state)
        expression(made.replace("''", "'"))
        return made

    def convert_condition_field_eq_val(
        self, cond: ConditionFieldEqualsValueExpression, state: ConversionState
    ) -> str:
        """Return a condition on a field; true also if it is true of one of several values."""
        whole = str(super().convert_condition_field_eq_val(cond, state))
        if cond.field in SINGLE or cond.field == _VALUE or isinstance(cond.value, _WHOLE):
            return whole
        of_one = ConditionFieldEqualsValueExpression(_VALUE, cond.value)
        one = super().convert_condition_field_eq_val(of_one, state)
        field = cond.field.lower().replace("'", "''")
        return (
            f"({whole} OR EXISTS (SELECT 1 FROM several AS s WHERE"  # noqa: S608 -- escaped
            f" s.number = entries.number AND s.field = '{field}' AND {one}))"
        )

    def convert_condition_field_eq_val_str(
        self, cond: ConditionFieldEqualsValueExpression, state: ConversionState
    ) -> str:
        """Return a condition that an index can serve, where the text has no wildcard."""
        value = cond.value
        if isinstance(value, SigmaString) and not value.contains_special():
            text = "".join(map(str, value.s)).replace("'", "''")
            return f"{self.escape_and_quote_field(cond.field)} = '{text}'"
        made: str = super().convert_condition_field_eq_val_str(cond, state)
        return made


_WHOLE: Final = (SigmaNull, SigmaExists, SigmaFieldReference, SigmaExpansion, SigmaCIDRExpression)
"""Values that are asked of a field as a whole, or that are divided into others first."""
