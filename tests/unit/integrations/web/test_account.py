"""The account that an attempt to sign in names."""

from __future__ import annotations

import pytest

from chained_logging.integrations.web.account import Attempt, account_in
from chained_logging.integrations.web.login import comes_back


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"ann"',
        b'{"username": 7}',
        b'{"username": null, "password": "ann"}',
        b"[" * 10_000,
        b"\xff\xfe",
        b'{"username": "' + b"x" * 100_000 + b'"}',
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "\xff",
    ],
)
def test_body_that_names_no_account(body: bytes, kind: str) -> None:
    attempt = Attempt(("username",), certain=True)
    attempt.feed(body)
    account = attempt.account(kind)
    assert account is None or len(account) <= 256


def test_account_in_a_form() -> None:
    assert account_in({"password": "x"}) is None
    assert account_in({"user": {"email": " ann@example.com "}}) == "ann@example.com"
    assert account_in("ann") is None
    assert comes_back("next=%2Fa%2F", "/a")
    assert not comes_back("next=/b", "/a")
    assert not comes_back("&".join("a=/a" for _ in range(50)), "/a")  # too many to look at


def test_an_account_is_found_in_a_form_of_each_kind() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\nann\r\n'
    for body, kind in (
        (b"a=1&login=ann", "application/x-www-form-urlencoded; charset=utf-8"),
        (b'{"login": " ann "}', "application/json"),
        (part + b"--x--\r\n", "multipart/form-data; boundary=x"),
    ):
        attempt = Attempt(("username", "login"), certain=True)
        for at in range(len(body)):
            attempt.feed(body[at : at + 1])
        assert attempt.account(kind) == "ann", kind
        assert attempt.account(None) is None


def test_no_more_is_kept_than_is_looked_at() -> None:
    attempt = Attempt(("login",), certain=False)
    attempt.feed(b"login=" + b"a" * 1_000_000)
    attempt.feed(b"&login=b")
    assert attempt.account("application/x-www-form-urlencoded") == "a" * 256
    assert len(attempt._body) == 16_384
