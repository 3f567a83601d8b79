"""What SQL finds in an index is what the filter says, entry by entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asked_logs import FILTERS_OF_ANY, engine
from periods import event, write_log

from chained_logging.review.conditions import FOUND, indexed
from chained_logging.review.filter import Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine

__all__ = ["engine"]

FILTERS = [
    *FILTERS_OF_ANY,
    "actor=user-3",
    "ip=10.0.0.2&tenant=t-1",
    "user_agent=Mozilla/5.0%20(X11)&seq=10-20",
    "changed=ward/2&actor=user-1",
    "resource=patient/7",
    "resource=7",
    "resource=audit_log",
    "text=name",
    "text=lüdenscheidt&text=treatment",
    "seq=290-",
]


def seqs(engine: Engine, wanted: Filter, **options: Any) -> list[int]:
    return [entry.seq for entry in engine.every(wanted, **options)]


@pytest.mark.parametrize("text", FILTERS)
def test_sql_finds_what_the_filter_says(engine: Engine, text: str) -> None:
    wanted = Filter.parse(text)
    expected = [entry.seq for entry in engine.every() if wanted.matches(entry)]
    assert seqs(engine, wanted) == expected
    assert engine.count(wanted) == len(expected)
    assert seqs(engine, wanted, order="newest") == expected[::-1]
    assert seqs(engine, wanted, limit=3, order="newest") == expected[::-1][:3]


def test_the_filters_find_some_and_not_all(engine: Engine) -> None:
    """So that the test above compares something."""
    found = [engine.count(Filter.parse(text)) for text in FILTERS]
    empty = {text for text, count in zip(FILTERS, found, strict=True) if not count}
    assert empty == {"actor=USER-3", "session=s", "changed=ward", "text=treat", "until=2020-01-01"}
    assert max(found[1:]) <= found[0] == 302


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("actor=ann&actor=bob", '("_a616e6e" OR "_a626f62")'),
        ("resource=7", '("_y37" OR "_x37y" *)'),
        ("text=wa*", '(("wa" *))'),
        ("incomplete=true", '("_m")'),
    ],
)
def test_fields_are_asked_of_the_inverted_index(text: str, match: str) -> None:
    values: dict[str, Any] = {}
    sql = indexed(Filter.parse(text), values)
    assert sql.endswith(" WHERE words MATCH :match")
    assert values == {"match": match}


def test_no_value_is_a_part_of_the_text() -> None:
    evil = "'; DROP TABLE entries --\""
    wanted = Filter(
        actor=(evil,), resource=(evil,), text=(evil,), id=(evil,), since=evil, until=evil
    )
    values: dict[str, Any] = {}
    sql = indexed(wanted, values)
    assert "DROP" not in sql
    assert evil not in values["match"]
    assert (values["since"], values["id_0"]) == (evil, None)


def test_a_number_that_is_none_fits_nothing(engine: Engine) -> None:
    for wanted in (Filter(id=("nothing",)), Filter(trace_id=("xyz",))):
        assert seqs(engine, wanted) == []
    entry = engine.entries(limit=1).entries[0]
    assert seqs(engine, Filter(id=("nothing", entry.id))) == [entry.seq]


def test_every_column_is_there(engine: Engine) -> None:
    assert engine.table("SELECT * FROM found LIMIT 1").columns == FOUND


def test_a_period_has_its_beginning_and_not_its_end(tmp_path: Path) -> None:
    # The times go back, over three blocks of the index.
    path = write_log(tmp_path / "audit.jsonl", [event(5 - n / 1000) for n in range(2500)])
    with open_log(str(path)) as engine:
        times = {entry.seq: entry.timestamp for entry in engine.every()}
        for since, until in ((2100, 100), (1030, 1020), (1024, 1023), (2, 1)):
            wanted = Filter(since=times[since], until=times[until])
            assert seqs(engine, wanted) == list(range(until + 1, since + 1))
