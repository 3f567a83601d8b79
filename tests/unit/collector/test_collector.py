"""The collector: what was acknowledged is stored, exactly once, whoever dies."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
import traceback
import uuid
from pathlib import Path

import pytest
from chains import check_chain
from collecting import EVENT, Client, command
from programs import until

from chained_logging import verify

ROUNDS = int(os.environ.get("COLLECTOR_ROUNDS", "6"))
"""How often the collector is killed; many more in a long run."""


@pytest.mark.parametrize("durability", [(), ("--fsync",)])
def test_sigterm_answers_what_had_come_and_ends_well(
    tmp_path: Path, durability: tuple[str, ...]
) -> None:
    with command(tmp_path, *durability) as process:
        clients = [Client(tmp_path / "s") for _ in range(4)]
        for number, client in enumerate(clients):
            client.send(*({**EVENT, "n": n, "client": number} for n in range(300)))
        process.send_signal(signal.SIGTERM)
        answered = []
        for client in clients:
            while (answer := client.answer()) is not None:
                answered.append(answer["id"])
            client.close()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    entries = check_chain(tmp_path / "audit.jsonl")[1:]
    assert [e["action"] for e in entries] == ["read"] * len(answered)
    assert sorted(e["id"] for e in entries) == sorted(answered)
    assert not (tmp_path / "s").exists()


def test_killed_at_any_moment_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    """Clients send until the collector is killed, and again to the next one what has no answer."""
    seed = int(os.environ.get("COLLECTOR_SEED", str(time.time_ns() % 10**6)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    stop = threading.Event()
    acknowledged: dict[str, str] = {}
    sent: list[str] = []
    failures: list[str] = []

    def work() -> None:
        try:
            send_until_stopped()
        except Exception:  # by itself, what fails in a thread fails no test
            failures.append(traceback.format_exc())

    def send_until_stopped() -> None:
        unanswered: list[str] = []
        while not (stop.is_set() and not unanswered):
            with contextlib.suppress(OSError, ValueError), Client(tmp_path / "s") as client:
                while True:
                    if not stop.is_set():
                        new = [str(uuid.uuid4()) for _ in range(8 - len(unanswered))]
                        unanswered += new
                        sent.extend(new)
                    client.send(*({**EVENT, "idempotency_key": key} for key in unanswered))
                    for key in list(unanswered):
                        answer = client.answer()
                        if answer is None:
                            raise ConnectionError
                        assert "seq" in answer, answer
                        acknowledged[key] = answer["id"]
                        unanswered.remove(key)
                    if stop.is_set():
                        break
            time.sleep(0.01)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(ROUNDS):
            with command(tmp_path) as process:
                before = len(acknowledged)
                time.sleep(chance.random() * 0.5)
                until(lambda before=before: len(acknowledged) > before, "some were stored")
                process.kill()
                process.wait()
            if number == ROUNDS - 1:
                stop.set()
        with command(tmp_path):
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive()
    finally:
        stop.set()
    assert not failures, "\n".join(failures)
    entries = [e for e in check_chain(tmp_path / "audit.jsonl") if e["action"] == "read"]
    found = {e["context"]["idempotency_key"]: e["id"] for e in entries}
    assert len(found) == len(entries), "an event is there twice"
    both = found.keys() | acknowledged.keys()
    differ = [(k, found.get(k), acknowledged.get(k)) for k in both]
    assert not [one for one in differ if one[1] != one[2]], "not stored as acknowledged"
    assert sorted(found) == sorted(sent)
    assert verify(tmp_path / "audit.jsonl").intact
    print(f"{len(entries)} events, {ROUNDS} kills")
