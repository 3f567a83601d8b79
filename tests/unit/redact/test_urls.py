"""Secrets in URLs."""

from __future__ import annotations

import pytest
from redacted import redact

from chained_logging.redact import REDACTED
from chained_logging.redact.urls import logins, parameters


def test_a_url_loses_its_credentials_and_keeps_the_rest() -> None:
    url = "https://ann:x@example.com/cb?code=123&page=2&X-Amz-Signature=ab12&sid=9#token=z"
    assert redact.url(url) == (
        f"https://{REDACTED}@example.com/cb?code={REDACTED}&page=2"
        f"&X-Amz-Signature={REDACTED}&sid={REDACTED}#token={REDACTED}"
    )
    for name in ("query", "request_url", "Referer"):
        event = {name: "/cb?code=7&page=2"}
        redact.text("/cb?code=7&page=2")  # which is not a secret elsewhere
        assert redact(event) == {name: f"/cb?code={REDACTED}&page=2"}
    assert redact.url("page=2&q=a%20b") == "page=2&q=a%20b"


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("postgres://ann:x@db/prod", "ann:x"),
        ("amqp://ann:pa/x@mq:5672//", "ann:pa/x"),  # a slash in a password
        ("see https://x@example.com, please", "x"),
        ("http://host:80/@ann", None),
        ("https://example.com/users/@ann", None),
        ("ann@example.com", None),
        ("ftp://[redacted]@example.com", None),
    ],
)
def test_a_name_with_a_password_is_found_before_the_host(text: str, login: str | None) -> None:
    found = [text[start:end] for start, end in logins(text.encode())]
    assert found == ([] if login is None else [login])


def test_each_url_of_a_text_is_looked_at() -> None:
    text = b"http://a@x/ https://x/ ftp://b:c@y"
    assert [text[start:end] for start, end in logins(text)] == [b"a", b"b:c"]


@pytest.mark.parametrize(
    ("text", "in_a_url", "elsewhere"),
    [
        ("?code=12&page=2", ["12"], []),
        ("?session_id=1#sid=2", ["1", "2"], []),
        ("&sig=f3a9c1d2f3a9c1d2f3a9", ["f3a9c1d2f3a9c1d2f3a9"], ["f3a9c1d2f3a9c1d2f3a9"]),
        ("?signature=short", ["short"], []),
        ("?code=[redacted]&key=", [], []),
        ("?barcode=12", [], []),
    ],
)
def test_parameters_are_secret_in_a_url_and_where_they_are_long(
    text: str, in_a_url: list[str], elsewhere: list[str]
) -> None:
    for url, expected in ((True, in_a_url), (False, elsewhere)):
        assert [text[start:end] for start, end in parameters(text.encode(), url)] == expected
