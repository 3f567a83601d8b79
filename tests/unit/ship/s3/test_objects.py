"""What an object of a log holds: a segment's entries, a checkpoint."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from s3_logs import ORIGIN, Log, forged, lines

from chained_logging.format.canonical import canonical
from chained_logging.format.line import GENESIS
from chained_logging.format.note import Note
from chained_logging.format.record import Record
from chained_logging.keys import PrivateKey
from chained_logging.ship.s3 import objects
from chained_logging.ship.s3.names import CHECKPOINTS, DIGESTS, SEGMENTS, Name
from chained_logging.ship.s3.objects import (
    describe,
    entries,
    gzip_of,
    is_signed,
    log_key,
    named_keys,
    parse_checkpoint,
    unpack,
)


def segment(
    records: list[Record], first: int, last: int, mark: str = ""
) -> tuple[Any, list[Record]]:
    return describe(Name(SEGMENTS, first, last, mark), gzip_of(lines(records)), None, None)


def test_a_segment_is_its_entries_with_their_facts(log: Log) -> None:
    facts, found = segment(log.records[:20], 0, 19)
    assert found == log.records[:20]
    assert facts.problem is None
    assert (facts.first_prev, facts.last_hash) == (GENESIS, log.records[19].hash)
    assert facts.content == hashlib.sha256(lines(log.records[:20])).hexdigest()
    assert facts.keys == (log_key(ORIGIN, log.key).format(),)
    facts, _ = segment(log.records[5:20], 5, 19, log.records[19].hash[:16])
    assert (facts.problem, facts.first_prev) == (None, log.records[4].hash)


WRONG: dict[str, tuple[Callable[[list[Record]], list[Record]], str, int]] = {
    "a gap": (lambda r: [*r[:5], *r[6:]], "has entry 6 in place of entry 5", 5),
    "its end": (lambda r: r[:9], "ends before entry 9", 9),
    "more": (lambda r: [*r, *forged(r[-1])], "goes on after entry 9", 10),
    "an edit": (
        lambda r: [*r[:5], r[5]._replace(body=r[5].body.replace(b"user-1", b"user-2")), *r[6:]],
        "has an entry 5 whose hash is not that of its body",
        5,
    ),
    "a fork": (
        lambda r: [*r[:5], *forged(r[4]._replace(hash="f" * 64), 5)],
        "has an entry 5 that is not chained",
        5,
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_first_thing_that_is_wrong_is_named(log: Log, what: str) -> None:
    change, problem, good = WRONG[what]
    facts, found = segment(change(log.records[:10]), 0, 9)
    assert problem in facts.problem
    assert len(found) == good


def test_a_line_that_is_not_an_entry_is_named(log: Log) -> None:
    good = lines(log.records[:2])
    for rest, problem in (
        (b"garbage\n", "has a line that is not an entry, in place of entry 2"),
        (b"x" * 100_000 + b"\n", "has a line that is longer than an entry"),
        (b'{"cut', "ends before entry 2"),
    ):
        found, said = entries(good + rest, Name(SEGMENTS, 0, 2))
        assert found == log.records[:2]
        assert problem in str(said)


def test_a_mark_is_of_the_last_entry(log: Log) -> None:
    facts, _ = segment(log.records[:5], 0, 4, "0" * 16)
    assert facts.problem == "ends with another entry than its name says"


def test_gzip_is_the_same_each_time_and_read_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert gzip_of(b"a") == gzip_of(b"a")
    assert unpack(gzip_of(b"a")) == (b"a", None)
    for data, problem in (
        (b"no gzip", "is not gzip, or damaged"),
        (gzip_of(b"a" * 99)[:-9], "is cut short"),
        (gzip_of(b"a") + b"b", "has something after its end"),
    ):
        assert unpack(data)[1] == problem
    monkeypatch.setattr(objects, "MAX_CONTENT", 1_000)
    assert unpack(gzip.compress(b"a" * 1_001)) == (b"", "unpacks to more than 1000 bytes")


def test_a_checkpoint_is_in_canonical_form_and_of_its_size(log: Log) -> None:
    stored = log.checkpoints[0]
    data = canonical(stored.to_dict()) + b"\n"
    name = Name(CHECKPOINTS, stored.size, stored.size)
    assert parse_checkpoint(data, name) == stored
    assert describe(name, data, "COMPLIANCE", 7.0)[0].problem is None
    for wrong, where in (
        (data[:-1], name),
        (data.replace(b"{", b"{ "), name),
        (b"{}", name),
        (b"x" * 10_000_000, name),
        (data, Name(CHECKPOINTS, stored.size + 1, stored.size + 1)),
    ):
        with pytest.raises(ValueError, match=r"."):
            parse_checkpoint(wrong, where)
        assert "is not a checkpoint" in str(describe(where, wrong, None, None)[0].problem)
    assert describe(Name(DIGESTS, 0, 0), b"x", None, None)[0].problem is None


def test_keys_are_named_by_the_log_alone(log: Log) -> None:
    key = log_key(ORIGIN, log.key).format()
    assert list(named_keys(log.records)) == [key]
    other = log_key(ORIGIN, PrivateKey.generate()).format()
    pretended = forged(log.records[-1], 1)[0]
    body = pretended.body.replace(b'"forged"', b'"key.rotate"').replace(
        b'"context":{', b'"context":{"public_key":"%b",' % other.encode()
    )
    assert list(named_keys([pretended._replace(body=body)])) == []
    note = Note.parse(log.checkpoints[0].note.encode())
    assert is_signed(note, [log_key(ORIGIN, log.key)])
    assert not is_signed(note, [log_key(ORIGIN, PrivateKey.generate())])
