"""What is secret does not reach the log, what is not arrives unchanged."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import logging
import string
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, check_chain, often, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from redacted import CARDS, JWT, KEY, SECRET, kept, redact

from chained_logging import AuditHandler, AuditLog
from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.scan import Scanner

# --- By name.


@pytest.mark.parametrize(
    "event",
    [
        {"password_changed_at": "2024-01-01", "token_type": "bearer", "secret_name": "db"},
        {"has_password": True, "password": None, "max_tokens": 500, "compass": "north"},
        {"primary_key": "7", "public_key": "abc", "idempotency_key": "k", "author": "Ann"},
        {"session_id": "token-7", "actor": "secret-service", "reason": "forgot the password"},
        {"resource": "password/reset", "action": "password.reset"},
        {"changed_fields": ["password", "token"], "result": "denied"},
        {"time": "12:30", "mapping": "a=b", "ratio": 0.5, "n": 4111111111111112},
        {"message": "reset password: user forgot it", "shape": [["a", "b"]]},
        {"ms": 1732492800123, "us": 1732492800123456, "ns": 1732492800123456789},
        {"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "v": "1.2.3", "at": "2024-11-24 23:49:17"},
        {"agent": "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"},
        {"digest": "sha256:4111111111111111aaaa", "url": "https://example.com/users/@ann?page=2"},
        {"text": "basic subscription", "other": "the bearer of news", "json": '{"a": [1, 2.50]}'},
    ],
)
def test_what_is_no_secret_is_stored_unchanged(event: dict[str, Any]) -> None:
    assert redact(event) == event
    plain, looked_at = (json.loads(kept(event, r)) for r in (None, redact))
    for volatile in ("id", "timestamp"):
        del plain[volatile], looked_at[volatile]
    assert plain == looked_at


def test_the_applications_own_names_are_added_and_taken_away() -> None:
    own = Redactor(names=["tax_id"], allow=["prompt_token"], patterns=[r"\bMRN-\d+\b"])
    event = {"taxId": "1", "old_tax_id": "2", "prompt_token": "x", "note": "of MRN-123 today"}
    assert own(event) == {
        "taxId": REDACTED,
        "old_tax_id": REDACTED,
        "prompt_token": "x",
        "note": f"of {REDACTED} today",
    }


# --- By pattern.


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"bearer   {SECRET}",
        "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode(),
        f"GET / HTTP/1.1\r\nCookie: a={SECRET}; b={SECRET}\r\nAccept: */*",
        f"postgres://ann:{SECRET}@db/prod",
        f"amqp://ann:pa/{SECRET}@mq:5672//",
        f"https://{SECRET}@example.com/x",
        f"https://example.com/cb?access_token={SECRET}&x=1#id_token={SECRET}",
        f"/cb?a=1&pass%77ord={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n",
        f"a=password={SECRET}",
        f"Server=db;Password={SECRET};Timeout=3",
        f'password="two {SECRET} words"',
        f'{{"password": "{SECRET}", "password": null}}',
        f'{{"a": "{{\\"token\\": \\"{SECRET}\\"}}"}}',
        f'body was {{\\"token\\": \\"{SECRET}\\"}}',
    ],
)
def test_what_looks_like_a_secret_is_replaced_in_any_text(text: str) -> None:
    jwt = text.replace(SECRET, JWT)
    for event in (
        {"note": text},
        {"note": jwt},
        {"action": text},
        {"user_agent": text},
        {"reason": text},
        {"session_id": text},
        {"resource": ("thing", text)},
        {"ip": text},  # not valid: kept under context.invalid
        {"error": ValueError(text)},
        {"data": text.encode()},
        {"deep": {"er": [{"x": text}]}},
        {text: "in a name"},
        {"changed_fields": [text]},
    ):
        data = kept(event)
        assert SECRET.encode() not in data, event
        assert JWT.encode() not in data, event
        assert JWT.split(".")[2].encode() not in data, event


# --- Any event.

WORD = st.text(string.ascii_letters, min_size=1, max_size=12)
HIDDEN = st.sampled_from(["password", "apiToken", "Set-Cookie", "x_secret", "CVV"])
SHAPES = st.sampled_from(
    ["Bearer {}", "x password={} y", "https://u:{}@h/?a=1", '{{"token": "{}"}}', "Cookie: {}"]
)
SECRETS = st.one_of(
    st.tuples(HIDDEN, st.just("{}")),
    st.tuples(HIDDEN, SHAPES),
    st.tuples(WORD, SHAPES),
)
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**39), 2**39), st.floats(-1e11, 1e11), WORD
)


def events(secret: str) -> st.SearchStrategy[dict[str, Any]]:
    leaf = st.one_of(
        PLAIN.map(lambda value: ("n", value)), SECRETS.map(lambda s: (s[0], s[1].format(secret)))
    )
    pairs = st.recursive(
        st.lists(leaf, max_size=4).map(dict),
        lambda inner: st.one_of(
            st.dictionaries(WORD, inner, max_size=3),
            st.lists(inner, max_size=3).map(lambda items: {"items": items}),
            st.lists(inner, max_size=2).map(lambda items: {"pair": tuple(items)}),
            inner.map(lambda value: {"text": json.dumps(value)}),
        ),
        max_leaves=6,
    )
    return pairs


@settings(max_examples=often(300), deadline=None)
@given(events("zQ9secretQ9z"))
def test_no_secret_of_any_event_reaches_the_stored_bytes(event: dict[str, Any]) -> None:
    assert b"zQ9secretQ9z" not in kept(event)
    once = redact(event)
    assert json.dumps(redact(once), default=str) == json.dumps(once, default=str)


ODD = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                *(
                    *CARDS,
                    JWT,
                    "password=",
                    "Bearer ",
                    "://",
                    "@",
                    '"',
                    "\\",
                    "'token': ",
                    "eyJab.c",
                ),
                *("Cookie: ", "-----BEGIN PRIVATE KEY-----", REDACTED, "&", ";", "[", "{", "}"),
            ]
        ),
    ),
    max_size=10,
).map("".join)


@settings(max_examples=often(500), deadline=None)
@given(ODD)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact.text(text)
    assert redact.text(once) == once
    url = redact.url(text)
    assert redact.url(url) == url


@settings(max_examples=often(200), deadline=None)
@given(st.dictionaries(WORD.map(lambda w: f"x{w}y"), st.one_of(PLAIN, st.uuids(), st.dates())))
def test_events_without_secrets_are_stored_as_they_are(event: dict[str, Any]) -> None:
    plain, looked_at = (json.loads(kept(event, r))["context"] for r in (None, redact))
    assert json.dumps(plain) == json.dumps(looked_at)


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 200_000, "://" * 60_000, "eyJ" * 60_000, "_eyJ" * 20_000, "1-" * 100_000),
        *('"a":"' * 40_000, "password=" * 20_000, "-----BEGIN PRIVATE KEY-----" * 7_000),
        *("=" * 200_000, "4" * 200_000, "4111 " * 40_000, "Bearer " * 30_000, "[" * 200_000),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    redact.text(text)
    assert time.process_time() - began < 5  # seconds for 200 kB; quadratic would be minutes


# --- Hashes.


def test_a_hashed_value_can_be_compared_and_is_the_documented_hmac() -> None:
    keyed = Redactor(hash_key=KEY, hashed=["email", "actor_id", "resource_id"])
    event = {
        "email": "ann@example.com",
        "users": [{"Email": "ann@example.com"}, {"email": ["bob@example.com", 7]}],
        "actor": "user-1",
        "resource": "patient/456",
    }
    expected = "hmac-sha256:" + hmac.digest(KEY, b"ann@example.com", hashlib.sha256).hex()
    fields = json.loads(kept(event, keyed))
    assert fields["context"]["email"] == expected
    assert fields["context"]["users"][0]["Email"] == expected
    seven = "hmac-sha256:" + hmac.digest(KEY, b"7", hashlib.sha256).hex()
    assert fields["context"]["users"][1]["email"][1] == seven
    assert fields["actor_id"] == "hmac-sha256:" + hmac.digest(KEY, b"user-1", "sha256").hex()
    assert fields["resource_type"] == "patient"
    assert fields["resource_id"] == "hmac-sha256:" + hmac.digest(KEY, b"456", "sha256").hex()
    assert b"ann@" not in kept(event, keyed)
    assert keyed(keyed(event)) == keyed(event)
    assert KEY.decode() not in repr(keyed)


def test_a_short_key_a_missing_one_and_a_field_of_fixed_form_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes") as caught:
        Redactor(hash_key=b"short", hashed=["email"])
    assert "short" not in str(caught.value).replace("at least", "")
    with pytest.raises(ValueError, match="needs a hash_key"):
        Redactor(hashed=["email"])
    with pytest.raises(ValueError, match="ip_address cannot be hashed"):
        Redactor(hash_key=KEY, hashed=["ip"])


# --- In a log.


def test_a_log_redacts_by_default_whatever_the_way_in(path: Path) -> None:
    @dataclass
    class Form:
        user: str
        password: str

    with AuditLog(path) as log:
        log.append("login", **EVENT, form=Form("ann", SECRET))
        log.append_many([{"action": "login", **EVENT, "password": SECRET}])
        logger = logging.Logger("app")
        logger.addHandler(AuditHandler(log=log))
        logger.info(f"login token={SECRET}", extra={"audit": True, **EVENT})
        try:
            raise ValueError(f"no such user: password={SECRET}")
        except ValueError:
            logger.exception("login", extra={"audit": True, **EVENT})
    check_chain(path)
    assert all(SECRET.encode() not in body for _, body, _ in stored(path))
    assert SECRET.encode() not in path.read_bytes()


def test_it_can_be_switched_off_and_replaced(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "off.jsonl", redact=None) as log:
        assert log.append("x", **EVENT, password="p").context["password"] == "p"
    with AuditLog(tmp_path / "own.jsonl", redact=lambda e: {**e, "password": "mine"}) as log:
        assert log.append("x", **EVENT, password="p").context["password"] == "mine"


def test_a_redaction_that_fails_stores_the_event_without_its_values(tmp_path: Path) -> None:
    def broken(event: Any) -> Any:
        raise RuntimeError(SECRET)

    with AuditLog(tmp_path / "a.jsonl", redact=broken) as log:
        entry = log.append("login", **EVENT, password=SECRET)
    assert SECRET.encode() not in entry.body
    assert entry.context["redaction_failed"] == "RuntimeError"
    assert entry.action == "unknown"
    assert entry.context["invalid"]["action"] == REDACTED
    assert [fields["seq"] for fields in check_chain(tmp_path / "a.jsonl")] == [0, 1]


def test_an_ordinary_event_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {**EVENT, "action": "read", "ward": "seven", "status": 200, "request_id": ""}
    redact(event)
    monkeypatch.setattr("chained_logging.redact.redactor.Walk", None)  # the long way
    for number in range(100):
        event["request_id"] = f"req-{number}"
        assert redact(event) is event


def test_times_and_addresses_pass_through(tmp_path: Path) -> None:
    when = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    with AuditLog(tmp_path / "a.jsonl", strict=True) as log:
        entry = log.append("x", **{**EVENT, "ip": "2001:db8::1"}, timestamp=when, note="a b")
    assert entry.timestamp == "2024-01-02T03:04:05.000000Z"
    assert entry.ip_address == "2001:db8::1"


def test_an_event_takes_the_short_way_after_any_number_of_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor = Redactor()
    event = {"resource": "patient/1", "audit": True, "reason": None}
    redactor(event)
    for number in range(10_000):  # more than are remembered
        redactor.remember(f"text {number}")
    redactor({**event, "resource": "patient/2"})
    monkeypatch.setattr(Scanner, "members_may_hold", lambda *_: pytest.fail("it was serialised"))
    assert redactor(event) == event
