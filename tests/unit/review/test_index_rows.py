"""What is inserted into an index for each entry, and the faults of a chain that show on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, stored

from chained_logging import AuditLog
from chained_logging.errors import NotAnEntry
from chained_logging.format.canonical import canonical
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import EMPTY, Head
from chained_logging.review.index_rows import (
    INCOMPLETE,
    RowMaker,
    Rows,
    parameter_token,
    record_token,
    token,
    type_token,
)
from chained_logging.review.sources import Found


@pytest.fixture
def found(tmp_path: Path) -> list[Found]:
    path = tmp_path / "audit.jsonl"
    full = {
        **EVENT,
        "resources": ["note/1"],
        "changed_fields": ["na me"],
        "trace_id": "0" * 31 + "a",
        "route": "/wards/{ward_id}",
        "params": {"ward_id": "5"},
        "reason": "Ward visit",
    }
    with AuditLog(path) as log:
        log.append("read", **full)
        log.append("odd", actor="", resource="patient/1")
        log.append("read", **EVENT)
    return [Found(seq * 1000, body, hash) for seq, body, hash in stored(path)]


def changed(one: Found, **fields: Any) -> Found:
    body = canonical({**json.loads(one.body), **fields})
    return Found(one.place, body, leaf_hash(body))


def made(found: list[Found], head: Head = EMPTY) -> tuple[Rows, str | None]:
    maker = RowMaker(head)
    return maker.rows(found), maker.fault


def test_an_entry_is_found_by_each_of_its_values(found: list[Found]) -> None:
    seq, text = made(found)[0].words[1]
    assert seq == 1
    assert {"Ward", "visit"} <= set(text.replace('"', " ").split())
    wanted = {
        token("actor", "user-1"),
        token("actor_type", "user"),
        token("action", "read"),
        token("result", "success"),
        token("ip", "10.0.0.1"),
        token("changed", "na me"),
        record_token("patient_record", "456"),
        record_token("note", "1"),
        type_token("patient_record"),
        type_token("note"),
        parameter_token("wards", "5"),
        parameter_token("ward", "5"),
    }
    assert {one for one in text.split() if one.startswith("_")} == wanted
    assert record_token("note", "1").startswith(record_token(None, "1"))
    assert not record_token("note", "10").startswith(record_token(None, "1"))


def test_an_incomplete_entry_says_so(found: list[Found]) -> None:
    words = made(found)[0].words
    assert [INCOMPLETE in text.split() for _, text in words] == [False, False, True, False]


def test_a_row_has_the_place_and_the_hash_that_was_computed(found: list[Found]) -> None:
    found[1] = found[1]._replace(hash="0" * 64)
    row = made(found)[0].entries[1]
    body = json.loads(found[1].body)
    assert row[:2] == (1, 1000)
    assert row[2].hex() == leaf_hash(found[1].body)
    assert row[3].hex() == body["id"].replace("-", "")
    assert row[4].hex() == body["trace_id"]
    assert row[5:7] == (body["timestamp"], "user-1")
    assert row[10:] == ('["na me"]', 1)


def test_values_that_many_entries_share_are_noted_once(found: list[Found]) -> None:
    rows = made(found)[0]
    noted = {first: values for first, *values in rows.shared}
    assert noted[1] == ["user", None, "read", "patient_record", "success", None, None]
    assert rows.entries[3][-1] == rows.entries[1][-1] == 1
    assert rows.entries[2][-1] == 2


def test_no_text_of_an_event_passes_for_a_value(found: list[Found]) -> None:
    forged = changed(found[3], context={"note": token("actor", "ann")})
    ((_, text),) = made([forged])[0].words
    assert "_" in token("actor", "ann")
    assert token("actor", "ann") not in text


def test_a_block_has_its_earliest_and_its_latest_time(found: list[Found]) -> None:
    times = ["2024-01-03T00:00:00.000000Z", "2024-01-01T00:00:00.000000Z"]
    within = [changed(found[3], seq=n, timestamp=time) for n, time in enumerate(times, 5)]
    after = changed(found[3], seq=1024, timestamp="2024-01-02T00:00:00.000000Z")
    assert made([*within, after])[0].spans == [
        (0, times[1], times[0]),
        (1, "2024-01-02T00:00:00.000000Z", "2024-01-02T00:00:00.000000Z"),
    ]


def test_the_first_fault_of_the_chain_is_kept(found: list[Found]) -> None:
    assert made(found)[1] is None
    assert made(found[2:])[1] is None  # what was before is not here
    edited = [found[0], found[1]._replace(hash="0" * 64), *found[2:]]
    assert made(edited)[1] == "the hash of entry 1 is not that of its content"
    assert made([found[0], *found[2:]])[1] == "entry 2 does not follow entry 0"
    assert made(found[2:], Head(1, "f" * 64))[1] == "entry 2 does not follow entry 1"


def test_an_entry_that_comes_twice_is_refused(found: list[Found]) -> None:
    with pytest.raises(ValueError, match="its seq is 1, after 2"):
        made([*found[:3], found[1]])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"seq": "3"}, "its seq is 3"),
        ({"id": "x"}, "was not written by a log"),
        ({"context": []}, r"was not written by a log \(context\)"),
        ({"context": {"invalid": 1}}, r"was not written by a log \(context\)"),
        ({"timestamp": 5}, r"was not written by a log \(timestamp\)"),
        ({"actor_id": 5}, r"was not written by a log \(actor_id\)"),
    ],
)
def test_what_no_log_wrote_is_refused(found: list[Found], fields: Any, why: str) -> None:
    with pytest.raises((NotAnEntry, ValueError), match=why):
        made([changed(found[3], **fields)])


def test_what_many_entries_have_is_remembered_and_the_same(found: list[Found]) -> None:
    maker = RowMaker(EMPTY)
    words = [maker.rows([one]).words[0] for one in found]
    assert words == made(found)[0].words
    assert maker.head == Head(3, found[3].hash)


def test_many_parameters_behind_a_long_literal_take_little(found: list[Found]) -> None:
    names = [f"a{number}" for number in range(1000)]
    route = "/" + "L" * 15_000 + "".join(f"/{{{name}}}" for name in names)
    context = {"route": route, "params": {name: f"v{name}" for name in names}}
    long = changed(found[1], context=context)
    seq, text = made([long], Head(0, found[0].hash))[0].words[0]
    assert seq == 1
    assert {parameter_token("L" * 15_000, "va7"), parameter_token("a7", "va7")} <= set(text.split())
    assert len(text) < 10 * len(long.body)


def test_long_values_are_not_remembered(found: list[Found]) -> None:
    maker = RowMaker(Head(0, found[0].hash))
    long = changed(found[1], actor_id="a" * 10_000, user_agent="u" * 10_000)
    ((_, text),) = maker.rows([long]).words
    assert {token("actor", "a" * 10_000), token("user_agent", "u" * 10_000)} <= set(text.split())
    assert maker._shared == {}
