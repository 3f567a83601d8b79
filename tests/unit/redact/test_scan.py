"""Where the secrets of a text are."""

from __future__ import annotations

from typing import Any

import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st

from chained_logging.event.values import jsonable
from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.names import Names
from chained_logging.redact.scan import Scanner
from chained_logging.redact.walk import Walk

RULES = Redactor()  # to build the rules takes as long as a hundred examples

PARTS = st.sampled_from(
    [
        *("password", "pin", "token", "api_key", "auth", "x", "id", "url", "query", "code", "sig"),
        *("=", ": ", ":", " is ", '"', "'", "\\", "<", ">", "</", "&", "?", "%3D", "%2570", "+"),
        *("hunter2", "a", "ok", "4111111111111111", "4111 1111 ", "078-05-1120", "\n", "\r\n\r\n"),
        *(
            "://",
            "@",
            "bearer ",
            "basic ",
            "eyJhbGciOi.eyJz.x",
            "ghp_16C7e42F292c6912E7710c838347A",
        ),
        *("cGFzc3dvcmQ", "-----BEGIN PRIVATE KEY-----", "DE89370400440532013000", "４", "а", "é"),
        *("mysql -p", "--", "[", "]", "{", "}", ",", ";", "name=", "Cookie", REDACTED, "\\u0070"),
    ]
)

TEXT = st.lists(PARTS, max_size=6).map("".join)

VALUE = st.recursive(
    st.one_of(TEXT, st.integers(0, 10**17), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=often(1500), deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=3))
def test_where_the_search_finds_nothing_the_careful_way_changes_nothing(
    event: dict[str, Any],
) -> None:
    for known in (RULES._open, RULES._shown, RULES._clean, RULES._harmless):
        known.clear()
    if RULES(event) is event:
        for known in (RULES._open, RULES._shown, RULES._clean, RULES._harmless):
            known.clear()
        taken_apart = Walk(RULES, 100_000).event(event)
        assert jsonable(taken_apart) == jsonable(event)


SCANNER = Scanner(Names(allow=["prompt_token"]))


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("password=hunter2 pin: 9876543", ["hunter2", "9876543"]),
        ("token=null, secret=[redacted], auth=ok, tokens=12", []),
        ("prompt_token=hunter2", []),
        ("<a:password>hunter2</a:password>", ["hunter2"]),
        ("x-api-key = hunter2;password=hunter2", ["hunter2", "hunter2"]),
        ("of 078-05-1120 on 4111111111111111", ["078-05-1120", "4111111111111111"]),
        ("the secret of it", []),
    ],
)
def test_spans_are_where_the_secrets_are(text: str, secrets: list[str]) -> None:
    spans = SCANNER.spans(text.encode()) or []
    assert [text[start:end] for start, end in spans] == secrets


def test_what_has_a_form_is_looked_for_where_it_may_be() -> None:
    data = b"of 4111111111111111"
    assert SCANNER.is_marked(data)
    assert SCANNER.spans(data) == [(3, 19)]
    assert SCANNER.spans(data, cards=False) == []
    assert SCANNER.spans(data, marked=False) == []
    assert not SCANNER.is_marked(b"an ordinary text")


def test_a_text_with_too_many_secrets_goes_as_a_whole() -> None:
    assert SCANNER.spans(b"password=a1b2c3d4 " * 2_000) is None


def test_one_search_tells_whether_a_text_may_hold_a_secret() -> None:
    for data in (b"password=x", b"pass%77ord%3Dx", b'"password", "x"', b"%2570in%253D1"):
        assert SCANNER.may_hold(data), data
    for data in (b"reset the passage", b"20230710122532896", b"100% of it", b"%zz"):
        assert not SCANNER.may_hold(data), data


def test_in_an_object_a_text_names_another_one_under_a_label_alone() -> None:
    for data in (b'{"name":"Cookie","value":"x"}', b'["Cookie","x"]', b'{"password":"x"}'):
        assert SCANNER.members_may_hold(data), data
    for data in (b'{"kind":"Cookie","value":"x"}', b'{"name":"Cookie","id":7}'):
        assert not SCANNER.members_may_hold(data), data
