"""Events of CloudTrail are read from lines and from the files that AWS delivers."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest

from chained_logging.collector import cloudtrail_files
from chained_logging.collector.cloudtrail_files import read

A, B = {"eventName": "A"}, {"eventName": "B"}
RECORDS = json.dumps({"Records": [A, B]}).encode()
LINES = b'{"eventName":"A"}\n\n{"eventName":"B"}\n'


def found(data: bytes) -> list[tuple[str, Any]]:
    return list(read(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("data", "places"),
    [
        (LINES, ("line 1", "line 3")),
        (RECORDS, ("record 1", "record 2")),
        (json.dumps({"Records": [A, B]}, indent=2).encode(), ("record 1", "record 2")),
        (json.dumps([A, B]).encode(), ("record 1", "record 2")),
        (b'{"Records":[{"eventName":"A"}]}{"Records":[{"eventName":"B"}]}', *(
            ("record 1", "record 2"),)),
        (b'{"eventName":"A"}\n{"Records":[{"eventName":"B"}]}\n', ("line 1", "line 2")),
    ],
)  # fmt: skip
def test_each_form_is_read(pack: Any, data: bytes, places: tuple[str, ...]) -> None:
    assert found(pack(data)) == list(zip(places, (A, B), strict=True))


def test_several_packed_files_one_after_another_are_read() -> None:
    assert [event for _, event in found(gzip.compress(RECORDS) * 2)] == [A, B, A, B]


@pytest.mark.parametrize(
    "data", [b'no\n{"eventName":"A"}\n[7]\n', b'{"eventName":\n{"eventName":"A"}\n7\n']
)
def test_what_is_wrong_is_named_and_costs_no_other(data: bytes) -> None:
    said = found(data)
    assert [where for where, _ in said] == ["line 1", "line 2", "line 3"]
    assert said[0][1].startswith("is not JSON")
    assert said[1][1] == A
    assert said[2][1] == "is not a JSON object"


def test_a_record_that_is_no_event_is_named() -> None:
    assert found(b'{"Records":[7,{"eventName":"A"}]}') == [
        ("record 1", "is not a JSON object"),
        ("record 2", A),
    ]


def test_a_file_that_was_cut_gives_what_it_has_and_says_so() -> None:
    packed = gzip.compress(b"".join(b'{"eventName":"%d"}\n' % n for n in range(100_000)))
    *events, (where, problem) = found(packed[:-2000])
    assert len(events) > 1000
    assert where == "the file"
    assert "is not whole" in problem


def test_a_file_that_unpacks_to_more_than_is_read_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cloudtrail_files, "MAX_FILE", 100)
    ((where, problem),) = found(gzip.compress(json.dumps({"Records": [A] * 100}).encode()))
    assert where == "the file"
    assert "at most 100 bytes" in problem


def test_a_line_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    long = b'{"eventName":"' + b"x" * (cloudtrail_files.MAX_LINE + 1) + b'"}\n'
    assert [event for _, event in found(LINES + long + LINES)][2].startswith("a line must have")


def test_nesting_without_end_is_refused() -> None:
    ((_, problem),) = found(b"[" * 100_000)
    assert problem.startswith("is not JSON")


def test_an_empty_file_has_no_event() -> None:
    assert found(b"") == []
    assert found(b"\n \n") == []
