"""A plain query is judged by the names in it, and that finds what the scan of its text finds."""

from __future__ import annotations

import random

import pytest

from chained_logging.redact import scan
from chained_logging.redact.names import DOUBTFUL, SECRET_NAMES, SECRET_WORDS, URL_NAMES, Names
from chained_logging.redact.scan import Scanner
from chained_logging.redact.spans import Span, merged
from chained_logging.redact.urls import logins, parameters

BASES = ("https://x.example/p", "http://token.example/api_key/secret", "", "/cb", "password/x")
WORDS = (*SECRET_NAMES, *SECRET_WORDS, *DOUBTFUL, *URL_NAMES)
ENDS = ("", "", "", "s", "es", "_", "-", "_id", "2", "_hash", "-value", "_count", "x", "Type")
STARTS = ("", "", "", "x-", "my_", "max_", "X", "user", "no", "-", "--", "4")
VALUES = (
    *("", "1", "abc", "hunter2", "none", "NULL", "true", "n/a", "...", "ok", "12345", "basic", "-"),
    *(
        "password",
        "token",
        "x.",
        "/",
        "~",
        "key-",
        "digest",
        "no",
        "yes",
        "0.5",
        "a" * 30,
        "bearer",
    ),
)


def name(seeded: random.Random) -> str:
    word = (
        seeded.choice(WORDS) if seeded.random() < 0.7 else seeded.choice(("q", "page", "id", "a"))
    )
    word = seeded.choice((word, word.upper(), word.title(), word.replace("-", "_")))
    return seeded.choice(STARTS) + word.replace("-", seeded.choice("-_")) + seeded.choice(ENDS)


def url(seeded: random.Random) -> bytes:
    query = [f"{name(seeded)}={seeded.choice(VALUES)}" for _ in range(seeded.randint(1, 4))]
    return f"{seeded.choice(BASES)}?{'&'.join(query)}".encode()


def by_scan(scanner: Scanner, data: bytes) -> list[Span]:
    return merged([*scanner._values(data), *parameters(data, url=True), *logins(data)])


@pytest.mark.parametrize(
    ("names", "least"),
    [
        (Names(), 5_000),
        (Names(["q", "my-page", "example"], allow=["token", "x-api-key"], hashed=["id"]), 5_000),
        (Names(["http"]), 0),
        (Names(["https"]), 0),
    ],
    ids=["default", "own", "http", "https"],
)
def test_both_find_the_same(names: Names, least: int) -> None:
    seeded, scanner, quick = random.Random(7), Scanner(names), 0
    for _ in range(10_000):
        data = url(seeded)
        found = scanner._in_query(data)
        quick += found is not None
        assert found in (None, by_scan(scanner, data)), data
        assert scanner.spans(data, url=True, marked=False) == by_scan(scanner, data), data
    assert quick >= least


def test_what_is_odd_is_scanned() -> None:
    scanner = Scanner(Names())
    for data in (
        *(b"https://u:p@x.example/?token=a", b"/?token=%61", b"/?token=a b", b"/?a[token]=1"),
        *(b"/?token=a#b", b"/?token='a'", b"/?token", b"/?a=b;token=c", b"x", b"", b"?=a"),
        *(b"https://x.example:80/?token=a", "/?token=é".encode(), b"/?auth=ok", b"/?a=1&auth=ok"),
        b"/?a=" + b"x" * 3_000,
    ):
        assert scanner._in_query(data) is None, data


def test_names_that_are_made_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_CACHE", 10)
    scanner = Scanner(Names())
    for number in range(100, 200):
        assert scanner._in_query(b"/?n%d=1&token=a" % number) == [(15, 16)]
        assert len(scanner._verdicts) <= 10
