"""The table on which rules are tried."""

from __future__ import annotations

from typing import Any

import pytest

from chained_logging.review.detect import bench
from chained_logging.review.detect.bench import Bench, RuleError
from chained_logging.review.detect.reading import Entry
from chained_logging.review.detect.rule import needed, shipped


def put(table: Bench, *contexts: dict[str, Any]) -> None:
    table.put(
        [
            Entry(seq, {"action": "a", "context": context}, b"", "")
            for seq, context in enumerate(contexts)
        ]
    )


def test_a_condition_finds_entries_in_any_case() -> None:
    table = Bench(["x"])
    put(table, {"x": "Stop"}, {"x": "STOP"}, {"x": "start"}, {})
    assert table.fitting("`x` = 'stop'") == [0, 1]
    assert table.fitting("`x` LIKE 'st%'") == [0, 1, 2]
    assert table.fitting("`x` IS NULL") == [3]
    assert table.value(1, "X") == "STOP"
    assert table.value(3, "x") is None


def test_only_the_last_entries_are_on_the_table() -> None:
    table = Bench(["x"])
    put(table, {"x": "1"}, {"x": "1"})
    put(table, {"x": "1"})
    assert table.fitting("1") == [0]


@pytest.mark.parametrize(
    "condition",
    [
        "1; DROP TABLE entries",
        "1 UNION SELECT sql FROM sqlite_master",
        "load_extension('x')",
        "readfile('/etc/passwd') IS NULL",
        "randomblob(1000000000) IS NULL",
        "x = (SELECT hex(zeroblob(1000000000)))",
        "1 AND",
        "`missing` = 1",
    ],
)
def test_a_condition_can_do_nothing_but_read_the_table(condition: str) -> None:
    table = Bench(["x"])
    put(table, {"x": "1"})
    with pytest.raises(RuleError, match="cannot be run"):
        table.fitting(condition)
    assert table.fitting("1") == [0]


def test_statements_that_write_are_refused_while_a_rule_is_tried() -> None:
    table = Bench(["x"])
    with table._only_reading(), pytest.raises(bench.sqlite3.DatabaseError, match="not authorized"):
        table._database.execute("ATTACH ':memory:' AS other")


def test_a_rule_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_STEPS", 300_000)
    table = Bench(["x"])
    put(table, *[{"x": str(number)} for number in range(300)])
    slow = "(SELECT max(a.x) FROM entries a, entries b, entries c WHERE a.x <> b.x) IS NULL"
    with pytest.raises(RuleError, match="cannot be run"):
        table.fitting(slow)
    assert len(table.fitting("1")) == 300


def test_long_lists_make_no_rule_too_slow() -> None:
    (rule,) = (rule for rule in shipped() if rule.name == "rights-for-oneself")
    names = [f"{number:x}" for number in range(9_000)]
    own = {"actor_id": "ann", "resource_id": "ann", "result": "success"}
    fields = {"action": "write", "context": {}, "changed_fields": names, **own}
    table = Bench(needed([rule]))
    there = table.put(Entry(seq, fields, b"", "") for seq in range(200))
    assert bench.MOST_VALUES < there * len(names) < bench.MOST_VALUES + 2 * len(names)
    assert rule.sql is not None
    assert table.fitting(rule.sql) == []
    patterns = (f"s.value LIKE '%{number}x%'" for number in range(20))
    of_some = (
        f"s.number = entries.number AND s.field = 'changed_fields' AND ({' OR '.join(patterns)})"
    )
    assert table.fitting(f"EXISTS (SELECT 1 FROM several AS s WHERE {of_some})") == []


def test_one_entry_with_more_values_than_most_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MOST_VALUES", 3)
    table = Bench(["x"])
    assert table.put([]) == 0
    put(table, {"x": list("abcdef")}, {"x": "f"})
    assert table.fitting("EXISTS (SELECT 1 FROM several WHERE value = 'f')") == [0]


def test_regular_expressions_take_linear_time() -> None:
    table = Bench(["x"])
    put(table, {"x": "a" * 50_000 + "!"}, {"x": "Ab"}, {})
    assert table.fitting("`x` REGEXP '^(a+)+$'") == []
    assert table.fitting("`x` REGEXP '(?i)^AB$'") == [1]
    with pytest.raises(RuleError, match="RE2"):
        bench.expression(r"(?=x)")


def test_too_many_fields_are_refused() -> None:
    Bench(map(str, range(bench.MOST)))
    with pytest.raises(RuleError, match="load fewer"):
        Bench(map(str, range(bench.MOST + 1)))


def test_names_of_fields_that_look_like_sql_are_names() -> None:
    hostile = ["a` TEXT); DROP TABLE entries; --", 'b" = 1 --', "c'd", "e; f"]
    table = Bench(hostile)
    for name in hostile:
        put(table, {name: "v"})
        assert table.fitting(f"{bench.quoted(name)} = 'V'") == [0]
