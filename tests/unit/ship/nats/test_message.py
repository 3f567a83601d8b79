"""One message of a stream, and the names of logs in subjects."""

from __future__ import annotations

import gzip

import pytest
from chains import EVENT
from hypothesis import given
from hypothesis import strategies as st
from sink_records import chained

from chained_logging.errors import Refused
from chained_logging.event.draft import draft
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.log.options import ORIGIN as ALLOWED_ORIGIN
from chained_logging.ship import nats
from chained_logging.ship.nats import (
    decode,
    encode,
    origin_of,
    partition_of,
    token_of,
)
from chained_logging.ship.nats.message import (
    Foreign,
    Message,
    check_published,
    following,
    name_of,
    pieces,
)


@given(st.text(min_size=1, max_size=60).filter(ALLOWED_ORIGIN.fullmatch))
def test_a_name_is_one_token_of_a_subject_and_comes_back(origin: str) -> None:
    token = token_of(origin)
    assert origin_of(token) == origin
    assert set(token) <= nats.message._PLAIN | {"="}
    assert partition_of(origin, 16) == partition_of(origin, 16) < 16


@given(st.text(max_size=30))
def test_only_the_token_of_a_name_is_taken_for_one(token: str) -> None:
    try:
        assert token_of(origin_of(token)) == token
    except ValueError as error:
        assert "does not name a log" in str(error)  # noqa: PT017


@given(st.binary(max_size=200), st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_whatever_a_message_holds_it_is_read_or_refused(
    data: bytes, headers: dict[str, str]
) -> None:
    good = {"Audit-Format": "1", "Audit-First-Seq": "0", "Audit-Last-Seq": "0",
            "Audit-Last-Hash": "0" * 64}  # fmt: skip
    for attempt in (data, gzip.compress(data), gzip.compress(data + b"\n")):
        with pytest.raises(ValueError, match=r"."):
            decode("A.0.b", good | headers, attempt).check()


def test_a_checkpoint_of_each_kind_comes_back() -> None:
    notes = [StoredCheckpoint("a\nb\n", 1, "c"), StoredCheckpoint("ü", 2, "d", "e")]
    headers, data = encode(5, Head(4, "0" * 64), [], notes)
    message = decode("A.0.b", headers, data)
    assert (message.origin, message.first, message.head) == ("b", 5, Head(4, "0" * 64))
    assert (message.records, message.checkpoints) == ([], notes)
    message.check()


RECORDS = chained(8)


def head(seq: int) -> Head:
    return Head(seq, RECORDS[seq].hash)


def test_a_batch_comes_back_byte_for_byte() -> None:
    headers, data = encode(2, head(5), RECORDS[2:6], [])
    message = decode("A.0.b", headers, data)
    assert message == ("b", 2, head(5), RECORDS[2:6], [])
    assert message.before() == head(1)
    message.check()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Audit-Format": "2"}, "not in format 1"),
        ({"Audit-First-Seq": "x"}, "do not say which entries"),
        ({"Audit-Last-Seq": "99"}, "does not hold the entries"),
        ({"Audit-First-Seq": "7"}, "does not hold the entries"),
        ({"Audit-Last-Hash": "f" * 64}, "does not end where it says"),
        ({"Audit-First-Seq": "3", "Audit-Last-Seq": "6"}, "entry"),
    ],
)
def test_headers_that_say_something_else_are_refused(changes: dict[str, str], why: str) -> None:
    headers, data = encode(2, head(5), RECORDS[2:6], [])
    with pytest.raises(ValueError, match=why):
        decode("A.0.b", headers | changes, data).check()


def test_the_first_entry_names_its_log() -> None:
    body = draft({"action": "log.open", **EVENT, "context": {"origin": "a"}}).body(0, "GENESIS")
    record = Record(0, body, leaf_hash(body))
    headers, data = encode(0, Head(0, record.hash), [record], [])
    decode("A.0.a", headers, data).check()
    with pytest.raises(ValueError, match="opens a log of another origin"):
        decode("A.0.b", headers, data).check()


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        ({"Status": "404"}, b""),
        ({"Audit-Format": "1", "Nats-Stream": "AUDIT"}, b"x"),
        (None, b'{"stream": "AUDIT", "seq": 7}'),
        (None, b'{"type": "io.nats.jetstream.api.v1.stream_info_response"}'),
    ],
)
def test_a_servers_answer_is_no_message_of_a_shipper(
    headers: dict[str, str] | None, data: bytes
) -> None:
    with pytest.raises(Foreign, match="redirected here"):
        check_published(headers, data)
    check_published({"Audit-Format": "1"}, data)
    check_published(None, b"garbage")


def test_a_batch_is_cut_into_messages_that_fit_and_follow_each_other() -> None:
    notes = [StoredCheckpoint("note", 4, ""), StoredCheckpoint("note", 8, "")]
    cut = list(pieces(head(1), RECORDS[2:], notes, limit=1_500))
    assert len(cut) > 2
    assert [record for _, _, some, _ in cut for record in some] == RECORDS[2:]
    assert [note for *_, some in cut for note in some] == notes
    before = head(1)
    for first, after, some, _ in cut:
        assert first == before.seq + 1
        assert after == (head(some[-1].seq) if some else before)
        before = after
    assert list(pieces(head(1), [], [], limit=1_500)) == []


def test_only_what_comes_after_the_head_is_new() -> None:
    message = Message("a", 2, head(5), RECORDS[2:6], [])
    assert following(head(1), message) == RECORDS[2:6]
    assert following(head(3), message) == RECORDS[4:6]
    assert following(head(5), message) == following(head(7), message) == []
    assert following(head(0), message) is None
    with pytest.raises(ValueError, match="another history: its entry 3"):
        following(Head(3, "f" * 64), message)


def test_a_name_that_is_too_long_is_no_subject_and_a_token_of_nobody_is_shown() -> None:
    with pytest.raises(Refused, match="is not a subject"):
        token_of("x" * 600)
    assert name_of("example=2Ecom/web") == "example.com/web"
    assert name_of("example=2ecom") == "example=2ecom"
