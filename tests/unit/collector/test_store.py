"""What is stored of a batch, and what each event is answered."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from collecting import EVENT, Client, Here

from chained_logging import AuditLog
from chained_logging.collector.store import Store


def test_a_strict_log_refuses_one_and_takes_the_others(tmp_path: Path) -> None:
    with Here(tmp_path, strict=True) as here, Client(here.socket) as client:
        good, bad, after = client.ask(EVENT, {**EVENT, "ip": "no", "result": "?"}, EVENT)
        assert bad["fields"].keys() == {"ip_address", "result"}
        assert (good["seq"], after["seq"]) == (1, 2)


def test_a_call_that_breaks_off_leaves_no_retry_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(tmp_path / "audit.jsonl") as log:
        store = Store(log)
        line = json.dumps({**EVENT, "idempotency_key": "k"}).encode()

        def breaks_off(events: object) -> list[Any]:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(log, "append_many", breaks_off)
            with pytest.raises(MemoryError):
                store.store([line], {})
        answers: list[Any] = []
        retry = threading.Thread(
            target=lambda: answers.extend(store.store([line], {})), daemon=True
        )
        retry.start()
        retry.join(20)
        assert [answer["seq"] for answer in answers] == [1]


def test_what_cannot_be_stored_is_refused_and_can_be_sent_again(tmp_path: Path) -> None:
    event = {**EVENT, "idempotency_key": "k"}
    with Here(tmp_path) as here, Client(here.socket) as client:
        assert client.ask(EVENT)["seq"] == 1
        folder = tmp_path / "audit.jsonl.lock"
        kept = folder.read_bytes()
        here.log.close()
        answer = client.ask(event)
        assert answer["error"].startswith("not stored: ")
        assert answer["retry"] is True
        assert len(here.entries()) == 1
        assert kept is not None
