"""An event that is sent again with its key is stored once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from collecting import EVENT, Client, Here

from chained_logging import AuditLog
from chained_logging.collector import keys as keys_module
from chained_logging.collector.keys import Keys


def test_a_retry_with_its_key_adds_nothing_also_after_a_restart(tmp_path: Path) -> None:
    key = "becc4675-8652-4560-8411-d2e68d1fb4cf"  # in it are a card's digits, after "cc"
    event = {**EVENT, "idempotency_key": key}
    with Here(tmp_path) as here, Client(here.socket) as one, Client(here.socket) as two:
        first, same_batch = one.ask(event, event)
        assert same_batch == {**first, "duplicate": True}
        assert two.ask(event) == {**first, "duplicate": True}
        assert two.ask({**event, "idempotency_key": "k-2"})["seq"] == 2
    with Here(tmp_path) as here, Client(here.socket) as again:
        assert again.ask(event) == {**first, "duplicate": True}
        assert [e["context"]["idempotency_key"] for e in here.entries()] == [key, "k-2"]


def test_the_same_key_on_many_connections_at_once_is_one_entry(tmp_path: Path) -> None:
    answers = []
    with Here(tmp_path) as here:

        def send() -> None:
            with Client(here.socket) as client:
                keys = [f"k{n}" for n in range(50)]
                answers.extend(client.ask(*({**EVENT, "idempotency_key": k} for k in keys)))

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(here.entries()) == 50
        assert len({a["seq"] for a in answers}) == 50
        assert sum("duplicate" not in a for a in answers) == 50


def test_the_first_use_of_a_key_is_ours_and_the_others_wait_for_it(path: Path) -> None:
    with AuditLog(path) as log:
        keys = Keys(log)
    first, again = keys.claim({"uid": 1}, "k"), keys.claim({"uid": 1}, "k")
    assert (first.ours, again.ours) == (True, False)
    keys.settle(first, {"seq": 7})
    keys.settle(first, {"error": "interrupted"})  # too late: it has an answer
    assert again.future.result(timeout=0) == {"seq": 7}


def test_a_key_is_one_clients_own_and_none_is_no_key(path: Path) -> None:
    with AuditLog(path) as log:
        keys = Keys(log)
    claims = [keys.claim({"uid": 1}, "k"), keys.claim({"uid": 2}, "k"), keys.claim({"uid": 1}, "l")]
    claims += [keys.claim({"uid": 1}, None), keys.claim({"uid": 1}, None)]
    claims += [keys.claim({"transport": "http"}, "k")]
    assert all(claim.ours for claim in claims)


def test_what_failed_may_be_sent_again(path: Path) -> None:
    with AuditLog(path) as log:
        keys = Keys(log)
    first = keys.claim({"uid": 1}, "k")
    keys.settle(first, {"error": "the disk is full", "retry": True})
    assert keys.claim({"uid": 1}, "k").ours


def test_the_oldest_key_is_forgotten_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "REMEMBERED", 2)
    with AuditLog(path) as log:
        keys = Keys(log)
    for key in ("a", "b", "c"):
        assert keys.claim({"uid": 1}, key).ours
    assert not keys.claim({"uid": 1}, "b").ours
    assert keys.claim({"uid": 1}, "a").ours
