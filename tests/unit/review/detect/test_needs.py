"""What rules need of an entry leaves no match out."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from chained_logging.review.detect.bench import Bench
from chained_logging.review.detect.detector import _bench
from chained_logging.review.detect.reading import Entry
from chained_logging.review.detect.rule import Rule, needed, shipped

LITERAL = re.compile(r"`([^`]+)` (?:=|LIKE) '([^']*)'")


def entries(rules: list[Rule], many: int) -> list[Entry]:
    """Return entries that nearly fit a rule: values that it names, in any case, alone or in lists.

    Now and then one is left out.
    """
    chance = random.Random(11)
    return [Entry(seq, _fields(chance.choice(rules), chance), b"", "") for seq in range(many)]


def _fields(rule: Rule, chance: random.Random) -> dict[str, Any]:
    fields: dict[str, Any] = {"action": "read", "result": "success", "context": {}}
    values: dict[str, list[str]] = {}
    for field, text in LITERAL.findall(rule.sql or ""):
        values.setdefault(field, []).append(text.replace("%", "x"))
    for field, texts in values.items():
        if chance.random() < 0.1:
            continue
        value: Any = chance.choice(texts)
        value = chance.choice([value, value.upper(), value.swapcase()])
        *way, last = field.split(".")
        own = field in ("action", "result", "actor_type", "user_agent", "changed_fields")
        at = fields if own else fields["context"]
        for part in way:
            at = at.setdefault(part, {}) if isinstance(at, dict) else {}
        if isinstance(at, dict):
            at[last] = ["other", value] if chance.random() < 0.2 else value
    return fields


def test_what_is_needed_leaves_no_match_out() -> None:
    rules = [rule for rule in shipped() if rule.sql is not None]
    some = entries(rules, 2_000)
    whole, narrow = Bench(needed(rules)), _bench(rules)
    assert whole.put(some) == narrow.put(some) == len(some)
    found = {rule.name: whole.fitting(rule.sql or "") for rule in rules}
    assert {rule.name: narrow.fitting(rule.sql or "") for rule in rules} == found
    assert sum(map(bool, found.values())) > 50


def test_nearly_all_rules_of_the_package_look_at_few_entries() -> None:
    assert {rule.name for rule in shipped() if rule.sql and not rule.needs} == {"session-used"}


@pytest.mark.parametrize(
    ("value", "is_whole"), [("Stop", True), ("stop", True), (["x", "STOP"], True), ("x", False)]
)
def test_an_entry_that_rules_cannot_fit_has_only_what_others_ask_for(
    value: Any, is_whole: bool
) -> None:
    table = Bench(["a", "b", "c"], [("a", ("stop", "start"))], ["c"])
    table.put([Entry(0, {"context": {"a": value, "b": ["1", "2"], "c": ["3", "4"]}}, b"", "")])
    assert bool(table.fitting("`b` IS NOT NULL")) is is_whole
    assert bool(table.fitting("EXISTS (SELECT 1 FROM several WHERE value = '2')")) is is_whole
    assert table.fitting("`c` IS NOT NULL") == [0]
    assert table.fitting("EXISTS (SELECT 1 FROM several WHERE value = '4')") == [0]
    assert table.value(0, "b") == '["1", "2"]'
