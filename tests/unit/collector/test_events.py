"""From a client's line to an event, and from an entry to the answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from collecting import EVENT, Client, Here

from chained_logging import verify
from chained_logging.collector import MAX_LINE
from chained_logging.collector.events import (
    answer,
    failure,
    numbered,
    read_event,
    refusal,
    to_lines,
)
from chained_logging.event.draft import draft
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import GENESIS


def test_a_line_is_answered_with_its_place_in_the_chain(tmp_path: Path) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        answers = client.ask(*({**EVENT, "n": n} for n in range(1000)))
        entries = here.entries()
        assert [e["context"]["n"] for e in entries] == list(range(1000))
        assert [(a["id"], a["seq"]) for a in answers] == [(e["id"], e["seq"]) for e in entries]
        assert answers[-1]["hash"] == verify(here.path).last_hash
        assert all(a.keys() == {"id", "seq", "hash"} for a in answers)


def test_the_kernel_says_who_sent_it_and_nobody_else_can(tmp_path: Path) -> None:
    forged = {"peer": {"uid": 1}, "context": {"peer": "me", "_peer": "too"}}
    with Here(tmp_path) as here, Client(here.socket) as client:
        client.ask({**EVENT, **forged})
        client.ask({"action": "backup", "resource": "database/main"})
        client.ask({**EVENT, "actor": "chained_logging", "actor_type": "system"})
        first, service, impostor = here.entries()
    peer = first["context"]["peer"]
    assert (peer["pid"], peer["uid"], peer["gid"]) == (os.getpid(), os.getuid(), os.getgid())
    assert peer["transport"] == "unix"
    kept = [first["context"][name] for name in ("_peer", "__peer", "___peer")]
    assert sorted(map(str, kept)) == sorted(map(str, [{"uid": 1}, "me", "too"]))
    assert (first["actor_id"], first["actor_type"]) == ("user-1", "user")
    assert (service["actor_id"], service["actor_type"]) == (peer["user"], "service")
    assert "invalid" not in service["context"]
    assert impostor["actor_id"] == "unknown"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{bad\n", "is not JSON"),
        (b"[1]\n", "is not a JSON object"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
        (b'{"a":"' + b"x" * MAX_LINE + b'"}\n', f"a line must have at most {MAX_LINE:,} bytes"),
        (b"x" * (3 * MAX_LINE) + b"\n", f"a line must have at most {MAX_LINE:,} bytes"),
        (b'{"idempotency_key": 7}\n', "idempotency_key must be a text"),
        (b'{"idempotency_key": "' + b"k" * 201 + b'"}\n', "idempotency_key must be a text"),
    ],
)
def test_a_bad_line_is_named_and_costs_no_other(tmp_path: Path, line: bytes, reason: str) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        good, bad, after = client.ask(EVENT, line, EVENT)
        assert bad["error"].startswith(reason)
        assert bad["line"] == 2
        assert (good["seq"], after["seq"]) == (1, 2)
        assert client.ask(b"\n" + json.dumps(EVENT).encode() + b"\n")["seq"] == 3
        assert len(here.entries()) == 3


def test_each_refused_line_has_its_own_number(tmp_path: Path) -> None:
    bad = {**EVENT, "ip": "no", "idempotency_key": "k"}
    with Here(tmp_path, strict=True) as here, Client(here.socket) as client:
        assert [answer["line"] for answer in client.ask(bad, bad, bad)] == [1, 2, 3]
        here.log.close()
        assert [answer["line"] for answer in client.ask(EVENT, EVENT)] == [4, 5]


def test_an_incomplete_event_is_stored_and_the_client_told(tmp_path: Path) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        assert client.ask({"action": "x", "actor": "a"})["incomplete"] == [
            *("ip_address", "resource_id", "resource_type")
        ]


def test_secrets_of_other_languages_are_redacted_too(tmp_path: Path) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        client.ask({**EVENT, "headers": {"Cookie": "S3cret"}, "note": "Bearer S3cretS3cret"})
        assert b"S3cret" not in here.path.read_bytes()


def test_who_sent_it_is_the_actor_where_nobody_else_is_named() -> None:
    peer = {"transport": "http", "address": "127.0.0.1"}
    event, key = read_event(b'{"action":"x","actor":null,"idempotency_key":"k"}', peer)
    assert (event["actor_id"], event["actor_type"], event["peer"], key) == (
        *("http", "service"),
        peer,
        "k",
    )
    event, key = read_event(b'{"actor":"ann"}', peer)
    assert "actor_id" not in event
    assert key is None


def test_an_answer_says_what_became_of_the_event() -> None:
    body = draft(EVENT).body(1, GENESIS)
    assert answer(AuditEntry(body, "0" * 64)).keys() == {"id", "seq", "hash"}
    waiting = answer(AuditEntry(body, None))
    assert (waiting.keys(), waiting["waiting"]) == ({"id", "waiting"}, True)
    assert refusal("é\n") == {"error": "??"}
    assert failure("the disk is full") == {"error": "not stored: the disk is full", "retry": True}


def test_only_answers_that_report_an_error_are_numbered() -> None:
    answers: list[dict[str, Any]] = [{"seq": 1}, {"error": "x"}]
    numbered(answers, 7)
    assert answers == [{"seq": 1}, {"error": "x", "line": 8}]
    assert to_lines(answers) == b'{"seq":1}\n{"error":"x","line":8}\n'
