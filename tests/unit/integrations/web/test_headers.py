"""Headers, as servers give them."""

from __future__ import annotations

from hashlib import sha256

import pytest

from chained_logging.integrations.web.headers import (
    content_length,
    cookie,
    digest,
    environ_header,
    has_no_body,
    header_text,
    location,
    redirects,
)


def test_what_the_log_has_of_a_secret_is_a_part_of_its_hash() -> None:
    assert digest("abc") == "sha256:" + sha256(b"abc").hexdigest()[:32]
    assert digest("\ud800") == "sha256:" + sha256(b"\xed\xa0\x80").hexdigest()[:32]


def test_bytes_that_are_not_utf_8_are_escaped() -> None:
    assert header_text("caf\u00e9".encode() + b"\xff") == "caf\u00e9\\xff"


def test_a_header_is_read_from_an_environ_by_its_name() -> None:
    header = environ_header(
        {
            "CONTENT_TYPE": "text/plain",
            "HTTP_X_NAME": "caf\xc3\xa9",
            "HTTP_CONTENT_TYPE": "",
            "A": 1,
        }
    )
    assert header("content-type") == "text/plain"
    assert header("x-name") == "caf\u00e9"  # PEP 3333 passes UTF-8 as Latin-1
    assert header("a") is None


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([("Accept", "x"), ("Content-Length", "7")], 7),
        ([(b"content-length", b"0")], 0),
        ([("Content-Length", "seven")], None),
        ([("X-Content-Length", "7")], None),
    ],
)
def test_the_length_is_read_from_text_or_bytes(headers: object, length: int | None) -> None:
    assert content_length(headers) == length  # type: ignore[arg-type]


def test_the_location_is_read_from_text_or_bytes() -> None:
    assert location([("Location", "/a")]) == location([(b"x", b""), (b"location", b"/a")]) == "/a"
    assert location([("Content-Location", "/a")]) is None


def test_a_cookie_is_found_by_its_whole_name() -> None:
    assert cookie("a=1; session=x=y; b", "session") == "x=y"
    assert cookie("mysession=1", "session") is None
    assert cookie(None, "session") is None


def test_an_answer_is_whole_with_its_head_if_it_has_no_body() -> None:
    whole = [("HEAD", 200, 7), ("GET", 204, None), ("GET", 304, 7), ("GET", 200, 0)]
    assert all(has_no_body(*answer) for answer in whole)
    assert not has_no_body("GET", 200, None)


def test_a_redirect_sends_the_client_to_another_page() -> None:
    redirected = [status for status in (None, 200, 300, 301, 302, 303, 304, 307, 308, 400)]
    assert [status for status in redirected if redirects(status)] == [301, 302, 303, 307, 308]
