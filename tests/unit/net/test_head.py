"""A head is parsed strictly: what two programs could read differently is refused."""

from __future__ import annotations

import time

import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st

from chained_logging.net.head import MAX_FIELDS, BadRequest, Head, check_line, parse_head

HOST = b"Host: a"


def head(*lines: bytes, request: bytes = b"GET / HTTP/1.1") -> Head:
    return parse_head([request, HOST, *lines])


def refused(*lines: bytes, request: bytes = b"GET / HTTP/1.1") -> int:
    with pytest.raises(BadRequest) as refusal:
        head(*lines, request=request)
    return refusal.value.status


def test_the_parts_of_a_head() -> None:
    found = head(
        b"X-A: 1",
        b"x-a:  2 ",
        b"Content-Type: Application/JSON; charset=utf-8",
        b"Content-Length: 12",
        request=b"POST /v1/events?a=b HTTP/1.1",
    )
    assert (found.method, found.target, found.length) == ("POST", "/v1/events?a=b", 12)
    assert found.headers["x-a"] == "1, 2"
    assert found.media_type() == "application/json"


@pytest.mark.parametrize(
    ("lines", "request_line", "kept"),
    [
        ([], b"GET / HTTP/1.1", True),
        ([b"Connection: close"], b"GET / HTTP/1.1", False),
        ([b"Connection: Keep-Alive, Close"], b"GET / HTTP/1.1", False),
        ([], b"GET / HTTP/1.0", False),
    ],
)
def test_whether_another_request_may_follow(
    lines: list[bytes], request_line: bytes, kept: bool
) -> None:
    assert head(*lines, request=request_line).keep_alive is kept


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Content-Length: 1", b"Content-Length: 1"], 400),
        ([b"Content-Length: +1"], 400),
        ([b"Content-Length: 1, 1"], 400),
        ([b"Content-Length: " + b"9" * 20], 400),
        ([b"Transfer-Encoding: chunked"], 411),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 1"], 400),
        ([b"Host: b"], 400),
        ([b" folded"], 400),
        ([b"X-A : 1"], 400),
        ([b"no colon"], 400),
        ([b"X-A: 1"] * MAX_FIELDS, 431),
    ],
)
def test_what_is_ambiguous_is_refused(lines: list[bytes], status: int) -> None:
    assert refused(*lines) == status


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"\xef\xbb\xbfGET / HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"POST / HTTP/1.1", 411),
    ],
)
def test_a_request_line_that_is_not_served(request_line: bytes, status: int) -> None:
    assert refused(request=request_line) == status


def test_a_request_must_name_its_host() -> None:
    with pytest.raises(BadRequest, match="Host"):
        parse_head([b"GET / HTTP/1.1"])
    with pytest.raises(BadRequest, match="request line"):
        parse_head([])


@pytest.mark.parametrize("line", [b"X-A: 1\n", b"X-A: 1\r", b"X-A: 1\rX-B: 2\r\n"])
def test_a_line_ends_with_crlf_and_holds_no_other(line: bytes) -> None:
    with pytest.raises(BadRequest, match="CRLF"):
        check_line(line)
    check_line(b"X-A: 1\r\n")


def test_a_line_of_spaces_takes_linear_time() -> None:
    started = time.process_time()
    for line in (b"x:" + b" " * 16_000 + b"\x01", b"x:" + b" a" * 8_000 + b"\x01"):
        with pytest.raises(BadRequest):
            parse_head([b"GET / HTTP/1.1", b"Host: x", line])
    assert time.process_time() - started < 1


_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Host: x", b"Content-Length: 3", b"content-length:3", b"Connection: close", b"a: b"]
        ),
        st.binary(max_size=12),
        st.tuples(st.sampled_from([b"Host", b"x", b"Expect", b"Content-Length"]), st.binary()).map(
            b": ".join
        ),
    ),
    max_size=6,
)


@settings(max_examples=often(300), deadline=None)
@given(
    st.one_of(
        st.just(b"POST /v1/events HTTP/1.1"),
        st.binary(max_size=20).map(b"POST /%b HTTP/1.1".__mod__),
    ),
    _LINES,
)
def test_a_head_that_is_taken_means_the_same_to_h11(first: bytes, lines: list[bytes]) -> None:
    h11 = pytest.importorskip("h11")
    data = b"\r\n".join([first, *lines, b"", b""])
    whole = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        for line in whole[:-2].split(b"\n")[:-1]:
            check_line(line + b"\n")
        head = parse_head(whole[:-4].split(b"\r\n"))
    except BadRequest:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(whole)
    said = other.next_event()
    assert (said.method.decode(), said.target.decode()) == (head.method, head.target)
    for name, value in said.headers:
        assert value.decode("latin-1") in head.headers[name.decode()]
    length = dict(said.headers).get(b"content-length", b"0")
    assert int(length) == head.length
