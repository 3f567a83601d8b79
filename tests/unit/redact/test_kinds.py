"""What is found and what is left alone; the quick search and the careful way agree."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from chains import EVENT, often
from folders import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from chained_logging import AuditLog
from chained_logging.event.values import jsonable
from chained_logging.redact import REDACTED, Redactor
from chained_logging.redact.walk import Walk

_FILE = ROOT / "benchmarks" / "redaction.py"
_SPEC = importlib.util.spec_from_file_location("benchmark_redaction", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
corpus: Any = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = corpus
_SPEC.loader.exec_module(corpus)

redact = Redactor()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_secrets_of_all_kinds_are_found(seed: int) -> None:
    assert len(corpus.secrets(seed)) >= 150
    assert corpus.missed(seed, redact) == []


def test_what_is_no_secret_is_left_alone() -> None:
    assert len(corpus.NEGATIVES) >= 20
    parts = corpus.false_positives(7, 300, redact)
    assert {kind: part for kind, part in parts.items() if part >= 0.01} == {}


def test_a_number_that_names_something_is_kept_and_a_card_that_names_something_is_marked(
    tmp_path: Path,
) -> None:
    seeded = random.Random(3)
    with AuditLog(tmp_path / "a.jsonl") as log:
        for _ in range(300):
            number = str(seeded.randrange(4 * 10**15, 10**18))
            for given in (number, int(number)):
                entry = log.append("x", **{**EVENT, "actor": given, "resource": ("user", given)})
                assert (entry.actor_id, entry.resource_id) == (number, number)
        entry = log.append("x", **{**EVENT, "resource": ("card", "4111111111111111")})
    assert entry.incomplete
    assert entry.resource_id == "unknown"
    assert b"4111111111111111" not in (tmp_path / "a.jsonl").read_bytes()


# --- The quick search.

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


# --- Time.

N = 65_536
SHAPES = (
    *("a=[", "a={", "a=<", 'a="', "a='", 'a=\\"', '"a":[', "a=%5B", "a=%25", "a=b%20c=", "://"),
    *("://a:b ", "://a@", "eyJaaaa.", "eyJ", "4 ", "41 1", "4111 ", "4111-4111-4111-4111-1", "[["),
    *("-----BEGIN PRIVATE KEY-----", "Cookie: a\n", "bearer a1b2c3d4 ", "basic YTpiYTpi ", '{"a":'),
    *("password=", "password= ", "password: a1 ", "password is a1 ", "token ", "pin=1;", "pin=[]"),
    *("'pin','1a',", "<pin>a</pin>", '"pin"\r\n\r\n', "mysql -pa;", "DE89370400440532013000 "),
    *("078-05-1120 ", "%", "%20a=", "%70in%3D1 ", "pin%3D1&", "password%25253D", "cGFzc3dvcmQ "),
    *(
        "&sig=",
        "&code=",
        "４１１１",
        "pаss=",
        "AKIA",
        "ghp_a1",
        "hf_",
        "M-.",
        "1234567890:AA",
        "\\",
    ),
)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_takes_long_by_any_way(shape: str) -> None:
    text = (shape * N)[:N]
    ways = {
        "text": lambda: redact.text(text),
        "url": lambda: redact.url(text),
        "value": lambda: redact({"k": text}),
        "key": lambda: redact({text: 1}),
        "list": lambda: redact({"k": [text[at : at + 9] for at in range(0, N, 9)]}),
        "pairs": lambda: redact({"k": {text[at : at + 9]: at for at in range(0, N, 9)}}),
        "JSON": lambda: redact({"k": json.dumps({"x": text})}),
    }
    for way, run in ways.items():
        began = time.process_time()
        run()
        took = time.process_time() - began
        assert took < 0.5, f"{way}: {took:.3f} s"  # 10 to 20 ms alone on a machine


def test_many_members_of_one_name_do_not_take_long() -> None:
    event = {"k": {f"password=a{number}": 1 for number in range(20_000)}}
    began = time.process_time()
    redact(event)
    assert time.process_time() - began < 5  # quadratic would be minutes


def test_other_threads_go_on_meanwhile() -> None:
    text = "a=[" * 2_000_000
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = counted
        redact.text(text)
        assert counted > before
    finally:
        stop.set()
        thread.join()


# --- An application's own patterns.


def test_own_patterns_run_on_re2() -> None:
    own = Redactor(patterns=[r"\bMRN-\d+\b", re.compile("ward (seven|eight)", re.IGNORECASE)])
    assert own.text("MRN-12 in WARD seven") == f"{REDACTED} in {REDACTED}"
    for text in ("a" * N, "ab" * N):
        began = time.process_time()
        Redactor(patterns=["(a+)+$", "(a|aa)+b$"]).text(text)
        assert time.process_time() - began < 5  # exponential otherwise


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?=a)", r"(?<!a)b", r"(?P=x)", "(", b"a"])
def test_a_pattern_that_re2_does_not_take_is_refused(pattern: Any) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Redactor(patterns=[pattern])
