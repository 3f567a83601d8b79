"""What a name says of its value."""

from __future__ import annotations

import base64
import json

import pytest
from redacted import SECRET, kept

from chained_logging.redact import REDACTED
from chained_logging.redact.names import (
    IDENTIFIER,
    KEYED,
    LOCATOR,
    LOOKALIKE,
    MAYBE,
    OPEN,
    Names,
    compile_bytes,
    is_url_name,
    shadow,
    squash,
)
from chained_logging.redact.names import (
    SECRET as SECRET_KIND,
)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "user_password", "newPassword", "password2", "Passwd", "pwd"),
        *("db_pass", "passphrase", "secret", "clientSecret", "client-secret", "token", "authToken"),
        *("access_token", "Authorization", "HTTP_AUTHORIZATION", "cookie", "Set-Cookie", "apiKey"),
        *("api_key", "X-API-Key", "private_key", "aws_secret_access_key", "credentials", "cvv"),
        *("card_number", "pin", "otp", "jwt", "session_token", "password_hash", "tokens"),
        *("secretValue", "accesstoken", "dbpassword", "csrf", "ssn", "user[password]"),
    ],
)
def test_a_value_under_a_secret_name_is_replaced_at_any_depth(name: str) -> None:
    for event in (
        {name: SECRET},
        {"form": {name: SECRET}},
        {"a": [{"b": ({name: [SECRET, {"x": SECRET}]},)}]},
        {"old_values": {name: SECRET}},
        {"context": {name: SECRET}},
        {"body": json.dumps({"a": {name: SECRET}})},
        {"message": f"failed with {name}={SECRET}"},
        {"message": f"got {{'{name}': '{SECRET}', 'a': 1}} instead"},
        {"message": f'got {{"{name}": "{SECRET} \\" {SECRET}", "a": 1}} instead'},
        {"headers": [(name, SECRET), ("accept", "text/html")]},
        {"headers": [(name.encode(), SECRET.encode())]},
        {"fields": [{"name": name, "value": SECRET}]},
    ):
        data = kept(event)
        assert SECRET.encode() not in data, event
        assert base64.b64encode(SECRET.encode()) not in data, event
        assert REDACTED.encode() in data, event


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, SECRET_KIND) for name in ("db_pass", "clientSecret", "api.key", "pins")),
        *((name, OPEN) for name in ("compass", "token_type", "author", "keyboard")),
        *((name, MAYBE) for name in ("auth", "refresh", "auth_value")),
        *((name, LOCATOR) for name in ("requestUrl", "Referer", "query")),
        *((name, IDENTIFIER) for name in ("user_id", "trackingNumber", "EAN")),
    ],
)
def test_a_name_says_what_its_value_is(name: str, kind: int) -> None:
    names = Names()
    assert names.known(name) is None
    assert names.kind(name) == kind
    assert names.known(name) == kind


def test_an_application_adds_names_and_takes_some_away() -> None:
    names = Names(more=["tax_id"], allow=["max_tokens"], hashed=["e-mail"])
    assert names.kind("oldTaxId") == SECRET_KIND
    assert names.kind("MaxTokens") == OPEN
    assert names.kind("old_max_tokens") == SECRET_KIND  # allowed as a whole alone
    assert names.kind("EMail") == KEYED
    assert names.hashes("e_mail")
    assert not names.hashes("old_e_mail")
    assert names.is_allowed("max-tokens")
    assert squash("Max-Tokens_2") == "maxtokens2"


def test_a_name_that_may_be_a_secret_itself_is_not_remembered() -> None:
    names = Names()
    for name in ("hunter2-Xk9vQ2 password", "n" * 300):
        names.kind(name)
        assert names.known(name) is None
    names.kind("Xk9 password", shown=True)
    assert names.known("Xk9 password") == SECRET_KIND


def test_a_parameter_is_secret_in_a_url_alone() -> None:
    for name in ("code", "sessionId", "auth.sig"):
        assert is_url_name(name), name
    for name in ("zip_barcode", "page", "encoded", "keys"):
        assert not is_url_name(name), name
    assert Names().kind("code") == OPEN


def test_letters_that_look_like_others_are_taken_for_them() -> None:
    text = "p\u0430ssword\uff1d\u0664\u2014\u00e9\u4e2d"
    assert shadow(text) == b"password=4-\xe9?"
    lookalike = compile_bytes(LOOKALIKE)
    assert all(lookalike.find(letter.encode()) for letter in text[1] + "\uff1d\u0664\u2014")
    assert lookalike.find("\u00e9\u4e2d".encode()) is None
