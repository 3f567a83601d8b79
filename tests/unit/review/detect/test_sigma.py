"""Rules in Sigma's form become rules that are run."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog

pytest.importorskip("sigma.backends.sqlite", reason="pySigma-backend-sqlite is not installed")

from chained_logging.review.detect import sigma
from chained_logging.review.detect.bench import RuleError
from chained_logging.review.detect.detector import RuleDetector
from chained_logging.review.detect.rule import Correlation, Part
from chained_logging.review.opening import open_log

AUDIT = "logsource: {product: chained_logging, service: audit}"


def text(detection: str, source: str = AUDIT, more: str = "name: it") -> str:
    return f"title: It\n{more}\n{source}\ndetection:\n  s:\n    {detection}\n  condition: s\n"


CORRELATION = """---
title: Many
name: many
correlation:
  type: value_count
  rules: [it]
  group-by: [actor]
  timespan: 5m
  condition: {field: resource_id, gte: 3}
level: high
"""


def fitting(tmp_path: Path, rules: str, *events: dict[str, Any]) -> list[int]:
    """Return which events fit some rules, counted from 0."""
    with AuditLog(tmp_path / "audit.jsonl") as log:
        log.append_many([{**EVENT, "action": "x", **event} for event in events])
    with open_log(str(tmp_path / "audit.jsonl")) as engine:
        found = RuleDetector(sigma.of_text(rules)).findings(engine, 0, engine.count() - 1)
        return sorted({seq - 1 for one in found for seq in one.entries})


@pytest.mark.parametrize(
    ("detection", "fits", "fits_not"),
    [
        ("kind: Alpha", ["alpha", "ALPHA", ["b", "alpha"]], ["alphas", "", None, {"a": "alpha"}]),
        ("kind: [a, b]", ["a", "B"], ["c"]),
        ("kind: 'al*'", ["alpha", "AL"], ["pal"]),
        ("kind: '50%_a\\b'", ["50%_A\\b"], ["50x_a\\b", "50%xa\\b"]),
        ("kind|contains: '%'", ["5%"], ["5"]),
        ("kind|startswith: al", ["Alpha"], ["pal"]),
        ("kind|endswith: /0", ["::/0", ["a", "b/0"]], ["/01"]),
        ("kind|contains|all: [a, b]", ["xbxa"], ["a"]),
        ("kind|cased: Alpha", ["Alpha"], ["alpha"]),
        ("kind|re: '^al.*a$'", ["alpha"], ["Alpha", "alp"]),
        ("kind|re|i: '^al.*a$'", ["alpha", "ALPHA"], ["alp"]),
        ("kind: 5", [5, "5"], [50, "x"]),
        ("kind|gte: 5", [5, 10, "7"], [4, "x", -1, None]),
        ("kind|lt: 5", [-1, 4.5], [5, "x", ""]),
        ("kind: 'true'", [True, "true"], [False, 1]),
        ("kind: null", [None], ["", "x"]),
        ("kind|exists: true", ["x", 0], [None]),
        ("kind|cidr: 10.1.0.0/16", ["10.1.2.3"], ["10.2.0.1", "110.1.2.3"]),
        ("kind.of: x", [{"of": "X"}, [{"of": "y"}, {"of": "x"}]], [{"of": "y"}, "x"]),
        ("kind|fieldref: other", ["SAME"], ["else"]),
        ("kind|fieldref|contains: other", ["the same one"], ["else"]),
    ],
)
def test_a_value_is_compared_as_sigma_says(
    tmp_path: Path, detection: str, fits: list[Any], fits_not: list[Any]
) -> None:
    events = [{"kind": value, "other": "same"} for value in [*fits, *fits_not]]
    assert fitting(tmp_path, text(detection), *events) == list(range(len(fits)))


def test_a_word_is_looked_for_in_all_of_an_entry(tmp_path: Path) -> None:
    rule = f"title: It\n{AUDIT}\ndetection:\n  words: [needle, 'a\"b']\n  condition: words\n"
    assert fitting(tmp_path, rule, {"a": {"b": "x NEEDLE"}}, {"a": "x"}) == [0]


def test_a_filter_on_a_field_that_is_not_there_filters_nothing(tmp_path: Path) -> None:
    rule = text("kind: a").replace("condition: s", "f: {other: b}\n  condition: s and not f")
    assert fitting(tmp_path, rule, {"kind": "a"}, {"kind": "a", "other": "B"}) == [0]


def test_each_product_has_its_own_names(tmp_path: Path) -> None:
    rule = text("action: x", "logsource: {product: aws, service: cloudtrail}")
    assert fitting(tmp_path, rule, {"action": "x"}, {"context": {"action": "x"}}) == [1]
    rule = text("actor: ann", "logsource: {product: github, service: audit}")
    assert fitting(tmp_path / "..", rule, {"actor": "ann"}, {"actor": "bob"}) == [0]


def test_a_correlation_is_over_the_rules_that_it_names() -> None:
    part, many = sigma.of_text(text("action: read") + CORRELATION)
    assert (part.name, part.raises) == ("it", False)
    assert (many.name, many.severity, many.raises) == ("many", "high", True)
    assert many.correlation == Correlation(
        "value_count", (Part("it", ("actor_id",), "resource_id"),), 300, 3
    )


def test_rules_of_a_correlation_are_raised_where_it_says_so() -> None:
    generating = CORRELATION.replace("  timespan", "  generate: true\n  timespan")
    assert [rule.raises for rule in sigma.of_text(text("action: read") + generating)] == [True] * 2


def test_an_alias_is_the_field_of_each_rule() -> None:
    aliased = CORRELATION.replace("group-by: [actor]", "group-by: [who]").replace(
        "  timespan", "  aliases:\n    who:\n      it: session_id\n  timespan"
    )
    _, many = sigma.of_text(text("action: read") + aliased)
    assert many.correlation is not None
    assert many.correlation.parts[0].group == ("session_id",)


@pytest.mark.parametrize(
    ("changed", "to", "said"),
    [
        ("gte: 3", "lt: 3", "gte or gt"),
        ("gte: 3", "gte: 100000000", "at most"),
        ("timespan: 5m", "timespan: 0s", "greater than zero"),
        ("type: value_count", "type: value_avg", "must be one of"),
        ("rules: [it]", "rules: [other]", "there is no rule 'other'"),
        ("group-by: [actor]", 'group-by: ["a\\0b"]', "printed"),
    ],
)
def test_a_correlation_that_cannot_be_run_is_refused(changed: str, to: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        sigma.of_text(text("action: read") + CORRELATION.replace(changed, to))


@pytest.mark.parametrize("order", [("other", "many"), ("many", "other")])
def test_what_is_over_a_correlation_that_is_refused_is_refused(
    order: tuple[str, str], tmp_path: Path
) -> None:
    over = {"other": "missing", "many": "other"}
    made = (
        CORRELATION.replace("name: many", f"name: {name}").replace("[it]", f"[{over[name]}]")
        for name in order
    )
    (tmp_path / "rules.yml").write_text(text("action: read") + "".join(made))
    found, refused = sigma.load_some([tmp_path])
    assert [rule.name for rule in found] == ["it"]
    assert [one.partition(": ")[2] for one in refused] == [
        "there is no rule 'missing'",
        "there is no rule 'other'",
    ]
    with pytest.raises(RuleError, match="no rule 'missing'"):
        sigma.load([tmp_path])


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (text("a: b", "logsource: {product: windows}"), "products chained_logging, aws"),
        (text("a: b", "logsource: {category: x}"), "products"),
        (text("a|re: '(?=x)'"), "Regular expression"),
        (text("a|re: '(a)\\1'"), "Regular expression"),
        (text(f"{'x' * 201}: b"), "200 characters"),
        (text('"a\\0b": c'), "printed"),
        (text('a: "b\\0c"'), "U.0000"),
        (text("a: &x [1]\n    b: *x"), "aliases"),
        (text("a: b").replace("condition: s", "condition: t"), "t"),
        ("[" * 100_000, "nested deeper"),
        ("title: It", " "),
        ("7", " "),
        ("a: [", " "),
        ("!!python/object/apply:os.system ['true']", "constructor"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(rules: str, said: str) -> None:
    with pytest.raises(RuleError, match=said) as refused:
        sigma.of_text(rules)
    assert str(refused.value)


HOSTILE = [
    "x' OR 1=1 --",
    "x'; DROP TABLE entries; --",
    "x'') OR (1=1",
    "x\\' OR 1=1 --",
    "x` OR 1=1 --",
    'x" OR "1"="1',
    "*' OR '1'='1",
    "?' OR 1=1 --",
    "x') UNION SELECT body FROM entries --",
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("modifier", ["", "|contains", "|cased", "|endswith", "|re"])
def test_no_value_of_a_rule_is_sql(tmp_path: Path, hostile: str, modifier: str) -> None:
    quoted = hostile.replace("'", "''")
    with contextlib.suppress(RuleError):  # it is no regular expression
        events = ({"kind": "y"}, {"kind": "z"})
        assert fitting(tmp_path, text(f"kind{modifier}: '{quoted}'"), *events) == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_value_that_looks_like_sql_is_found(tmp_path: Path, hostile: str) -> None:
    literal = re.sub(r"([*?\\])", r"\\\1", hostile).replace("'", "''")
    for modifier in ("", "|contains", "|cased"):
        rule = text(f"kind{modifier}: '{literal}'")
        folder = tmp_path / f"with{modifier}"
        folder.mkdir()
        assert fitting(folder, rule, {"kind": hostile}, {"kind": "y"}) == [0]


@pytest.mark.parametrize("hostile", [*HOSTILE, "s.value", "entries.number", "rowid", "1"])
def test_no_field_of_a_rule_is_sql(tmp_path: Path, hostile: str) -> None:
    quoted = "'" + hostile.replace("'", "''") + "'"
    rule = text(f"{quoted}: y")
    assert fitting(tmp_path, rule, {hostile: "Y"}, {"kind": "y"}, {hostile: ["z", "y"]}) == [0, 2]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.yml").write_bytes(b"#" * (sigma.MAX_FILE + 1))
    (tmp_path / "good.yml").write_text(text("a: b"))
    rules, (refused,) = sigma.load_some([tmp_path])
    assert [rule.name for rule in rules] == ["it"]
    assert "large.yml" in refused
    assert "at most" in refused
    with pytest.raises(RuleError, match=r"large\.yml"):
        sigma.load([tmp_path])


def test_files_are_one_set_of_rules(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(CORRELATION.removeprefix("---\n"))
    (tmp_path / "b.yml").write_text(text("action: read"))
    assert [rule.name for rule in sigma.load([tmp_path])] == ["it", "many"]


def test_a_rule_without_a_name_is_called_by_its_title() -> None:
    (one,) = sigma.of_text(text("a: b", more="description: Two\n lines"))
    assert (one.name, one.why, one.severity) == ("It", "Two lines.", "medium")
    first, second = sigma.of_text(text("a: b", more="") + "---\n" + text("a: c", more=""))
    assert first.name != second.name


@pytest.mark.parametrize(
    ("detection", "needs"),
    [
        ("action: Read", {"action": ["read"]}),
        ("action: [read, Write]", {"action": ["read", "write"]}),
        ("{action: [a, b, c], result: denied}", {"action": ["a", "b", "c"]}),
        ("{action|contains: ea, result: denied}", {"result": ["denied"]}),
        ("[{action: a}, {reason: b}]", {"action": ["a"], "reason": ["b"]}),
        ("[{action: a}, {reason|contains: b}]", {}),
        ("action: [read, w*]", {}),
        ("action|re: '^read$'", {}),
        ("context.count: 3", {}),
        ("reason: null", {}),
        ("- word", {}),
    ],
)
def test_what_an_entry_needs_to_fit_is_known(detection: str, needs: dict[str, list[str]]) -> None:
    (rule,) = sigma.of_text(text(detection))
    assert {field: list(values) for field, values in rule.needs} == needs
    (rule,) = sigma.of_text(text(detection).replace("condition: s", "condition: not s"))
    assert rule.needs == ()


def test_a_rule_in_the_style_of_sigmahq_runs_unchanged(tmp_path: Path) -> None:
    rule = """
title: A Bucket Was Deleted
id: 8c5b6a1e-8b2b-4d6b-9d6e-2f9a1c6b7d10
status: test
author: nobody
date: 2026-01-02
tags: [attack.defense-evasion, attack.t1485]
logsource:
    product: aws
    service: cloudtrail
detection:
    selection:
        eventSource: 's3.amazonaws.com'
        eventName: 'DeleteBucket'
    selection_status:
        errorCode: null
    filter_main_service:
        userIdentity.type: 'AWSService'
    condition: all of selection* and not 1 of filter_main_*
falsepositives:
    - Unknown
level: medium
"""
    event = {"eventSource": "s3.amazonaws.com", "eventName": "DeleteBucket"}
    assert fitting(
        *(tmp_path, rule, {"context": event}),
        {"context": {**event, "errorCode": "AccessDenied"}},
        {"context": {**event, "userIdentity": {"type": "AWSService"}}},
        {"context": {**event, "userIdentity": {"type": "IAMUser"}}},
    ) == [0, 3]
