"""Named questions: each is plain SQL, and every kind of log answers it alike."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT

from chained_logging import AuditLog
from chained_logging.review.export import export_log
from chained_logging.review.filter import ANY, Filter
from chained_logging.review.opening import open_log
from chained_logging.review.query import Engine
from chained_logging.review.questions import NAMES, narrowed, question

ACTIONS = ("read", "write", "login", "logout", "export", "delete")
EVENTS: list[dict[str, Any]] = [
    {
        **EVENT,
        "action": ACTIONS[number % len(ACTIONS)],
        "actor": f"user-{number % 5}",
        "actor_type": "admin" if number % 5 == 4 else "user",
        "on_behalf_of": "boss" if number % 7 == 0 else None,
        "ip": f"10.0.0.{number % 3}",
        "resource": f"patient/{number % 4}",
        "result": ("success", "denied", "failure")[number % 11 % 3],
        "changed_fields": ["name"] if number % 6 == 1 else None,
    }
    for number in range(120)
]
ASKED = {
    "actor-activity": Filter(actor=("user-1",)),
    "resource-access": Filter(resource=("patient/2",)),
}


def answers(engine: Engine) -> dict[str, Any]:
    return {name: engine.ask(name, ASKED.get(name, ANY)) for name in NAMES}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "audit.db"
    with AuditLog(path) as opened:
        opened.append_many(EVENTS)
    return path


@pytest.fixture
def engine(log: Path) -> Iterator[Engine]:
    with open_log(str(log)) as opened:
        yield opened


def test_a_database_a_file_and_segments_answer_alike(log: Path, engine: Engine) -> None:
    copy = log.with_name("copy.jsonl")
    export_log(log, copy)
    lines = copy.read_bytes().splitlines(keepends=True)
    for start in range(0, 120, 6):
        log.with_name(f"parts.{start:020d}.jsonl").write_bytes(b"".join(lines[start : start + 6]))
    parts = log.with_name("parts.jsonl")
    parts.write_bytes(lines[120])
    expected = answers(engine)
    assert all(answer.rows for answer in expected.values())
    for path in (copy, parts):
        with open_log(str(path)) as other:
            assert answers(other) == expected


def test_they_count_what_the_entries_say(engine: Engine) -> None:
    entries = [entry for entry in engine.every() if entry.action != "log.open"]
    asked = answers(engine)

    def total(name: str) -> int:
        at = asked[name].columns.index("entries")
        return sum(row[at] for row in asked[name].rows)

    assert total("actor-activity") == sum(e.actor_id == "user-1" for e in entries)
    assert total("resource-access") == sum(e.resource_id == "2" for e in entries)
    assert total("failed-attempts") == sum(e.result != "success" for e in entries)
    assert total("logins") == sum(e.action in ("login", "logout") for e in entries)
    seqs = {name: [row[0] for row in asked[name].rows] for name in ("exports", "admin-actions")}
    assert seqs["exports"] == [e.seq for e in entries if e.action == "export"]
    assert seqs["admin-actions"] == [0] + [e.seq for e in entries if e.actor_type == "admin"]
    changes = [row[0] for row in asked["changes"].rows]
    assert changes == [
        e.seq for e in entries if e.changed_fields or e.action in ("write", "delete")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_narrowing_only_saves_time(engine: Engine, name: str) -> None:
    wanted = ASKED.get(name, ANY)
    assert engine.table(question(name).sql, wanted) == engine.ask(name, wanted)


def test_a_filter_of_ones_own_is_kept(engine: Engine) -> None:
    denied = engine.ask("failed-attempts", Filter(result=("denied",)))
    assert {row[denied.columns.index("result")] for row in denied.rows} == {"denied"}
    assert engine.ask("logins", Filter(action=("read",))).rows == []
    assert narrowed(Filter(actor=("a",)), Filter(actor=("b",), action=("c",))) == Filter(
        actor=("a",), action=("c",)
    )


def test_a_question_says_what_it_needs(engine: Engine) -> None:
    with pytest.raises(ValueError, match="give --actor"):
        engine.ask("actor-activity")
    with pytest.raises(ValueError, match="there is no question 'x'"):
        engine.ask("x")


def test_each_file_is_a_question() -> None:
    files = resources.files("chained_logging.review.questions").iterdir()
    assert {file.name for file in files if file.name.endswith(".sql")} == {
        f"{n}.sql" for n in NAMES
    }
    for name in NAMES:
        assert question(name).asks.endswith("?")
        assert question(name).sql.startswith("SELECT ")
