"""Rules as they are run."""

from __future__ import annotations

from pathlib import Path

import chained_logging
from chained_logging.review.detect import sigma
from chained_logging.review.detect.rule import (
    Correlation,
    Part,
    Rule,
    from_json,
    needed,
    shipped,
    to_json,
)

FOLDER = Path(chained_logging.__file__).parent / "review/detect/rules"
BASE = Rule("base", "low", "Why.", "`a` = 'x'", ("a",), None, False)
OVER = Rule(
    *("over", "high", "Why."),
    correlation=Correlation("value_count", (Part("base", ("b",), "c"),), 60, 3),
)


def test_what_is_written_is_what_is_read() -> None:
    assert from_json(to_json([BASE, OVER])) == [BASE, OVER]


def test_all_fields_that_rules_ask_for_are_named() -> None:
    assert needed([BASE, OVER]) == {"a", "b", "c", "actor_id"}


def test_the_rules_of_the_package_are_those_of_its_yaml() -> None:
    assert list(shipped()) == sigma.load([FOLDER])


def test_each_rule_of_the_package_says_why_and_has_a_name_of_its_own() -> None:
    names = [rule.name for rule in shipped()]
    assert len(names) == len(set(names)) > 60
    for rule in shipped():
        assert " " not in rule.name
        assert rule.why.endswith(".")
        assert rule.sql or rule.correlation


def test_no_rule_of_the_package_names_a_tool_an_account_or_an_address() -> None:
    text = (FOLDER / "compiled.json").read_text().lower()
    for word in ("stratus", "terraform", "boto", "pacu", "malicious", "backdoor"):
        assert word not in text
    for rule in shipped():
        digits = "".join(char if char.isdigit() else " " for char in rule.sql or "").split()
        assert not [each for each in digits if len(each) >= 10]
