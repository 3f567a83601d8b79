"""Secrets of all kinds are found, the rest is left alone, and no text takes long."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
from typing import Any

import pytest
from folders import ROOT

from chained_logging.redact import Redactor

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
        assert took < 5, f"{way}: {took:.3f} s"  # 10 to 20 ms alone; quadratic would be minutes


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
