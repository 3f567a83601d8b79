"""The crash harness of the web: kill workers under load, and compare what clients received.

    python tests/support/web_crash.py --rounds 20 --seed 7

starts, for each kind of server, four workers, and clients that keep their connections open and
give each request an id of its own. While they go on, workers are killed with SIGKILL at random
moments; the server starts new ones. A client notes an id as received once it has the whole
answer, as HTTP defines it. In the end:

- every answer that was received whole has its entry, exactly once, with its status and resource;
- an entry without such an answer is that of a request that was in flight when its worker died,
  of which a connection has one at a time;
- the log is one chain that verifies.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chains import check_chain
from web_servers import Reply, Server, by_request, read_reply, request_bytes, serving

CLIENTS = 8
ENOUGH = 100
"""Number of answers that a round must exceed, or it checked next to nothing."""
BETWEEN = 10
"""Number of answers between two kills: they show that a request can reach a worker."""
WORKERS = 4


class Kind(NamedTuple):
    """What is tried: a server, a sink, and the log's options."""

    server: str
    suffix: str
    log: dict[str, Any]


KINDS = {
    "fastapi": Kind("fastapi", "jsonl", {}),
    "fastapi-fsync": Kind("fastapi", "jsonl", {"durability": "fsync"}),
    "fastapi-db": Kind("fastapi", "db", {}),
    "flask": Kind("flask", "jsonl", {}),
    "flask-db-fsync": Kind("flask", "db", {"durability": "fsync"}),
    "django": Kind("django", "jsonl", {}),
    "django-asgi-fsync": Kind("django-asgi", "jsonl", {"durability": "fsync"}),
}

# Method, path, the type of resource that the entry names.
REQUESTS = [
    ("GET", "/patients/{}", "patients"),
    ("HEAD", "/patients/{}", "patients"),
    ("PUT", "/patients/{}", "patients"),
    ("DELETE", "/patients/{}", "patients"),
    ("GET", "/stream/{}", "stream"),
    ("GET", "/sized/{}", "sized"),
]


class Client(threading.Thread):
    """One connection at a time, one request at a time on it."""

    def __init__(self, server: Server, number: int, seed: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.number = number
        self.random = random.Random(f"{seed} {number}")
        self.stop = stop
        self.received: dict[str, tuple[Reply, str, str]] = {}
        self.unanswered: set[str] = set()

    def run(self) -> None:
        count = 0
        while not self.stop.is_set():
            with suppress(OSError):
                with self.server.connect() as connection:
                    rest = bytearray()
                    while not self.stop.is_set():
                        count += 1
                        self.request(connection, f"c{self.number}-{count}", rest)
                continue
            time.sleep(0.01)

    def request(self, connection: socket.socket, id: str, rest: bytearray) -> None:
        method, path, kind = self.random.choice(REQUESTS)
        more = {"Content_Length": "0"} if method == "PUT" else {}
        self.unanswered.add(id)
        connection.sendall(request_bytes(path.format(id), method, X_Request_Id=id, **more))
        reply = read_reply(connection, method, rest)
        self.unanswered.remove(id)
        self.received[id] = (reply, method, kind)
        if reply.headers.get("connection", "").lower() == "close":
            raise OSError("the server closes")


class Outcome(NamedTuple):
    """What a round saw."""

    received: int
    in_flight: int
    recorded_in_flight: int
    killed: int

    def __str__(self) -> str:
        return (
            f"{self.received} answers received, all recorded once; {self.killed} workers killed; "
            f"{self.in_flight} requests unanswered, {self.recorded_in_flight} of them recorded"
        )


def run_round(
    folder: Path, name: str, seed: int, seconds: float = 3.0, mode: str = "before"
) -> Outcome:
    """Run one round, and check it.

    :param mode: ``after`` is the bug that this must find.
    :raises AssertionError: if a promise was broken.
    """
    kind = KINDS[name]
    chance = random.Random(seed)
    log = folder / f"audit.{kind.suffix}"
    with serving(kind.server, log, workers=WORKERS, mode=mode, log_options=kind.log) as server:
        deadline = time.monotonic() + 20
        while len(server.workers()) < WORKERS and time.monotonic() < deadline:
            time.sleep(0.05)
        stop = threading.Event()
        clients = [Client(server, number, seed, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        end = time.monotonic() + seconds
        killed = answered = 0
        # A busy machine takes longer to answer so many that a round shows something.
        while (now := time.monotonic()) < end or (now < end + 30 and _received(clients) <= ENOUGH):
            time.sleep(chance.uniform(0.05, 0.6))
            if (so_far := _received(clients)) < answered + BETWEEN:
                continue  # a busy machine needs longer to start workers than to kill them
            answered, workers = so_far, server.workers()
            # At least one goes on, so that there is somebody to talk to.
            count = min(max(len(workers) - 1, 0), chance.choice([1, 1, 2]))
            for pid in chance.sample(workers, count):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        stop.set()
        for client in clients:
            client.join(15)
            assert not client.is_alive(), "a client hangs"
        server.stop()
    return check(log, clients, killed)


def _received(clients: list[Client]) -> int:
    return sum(len(client.received) for client in clients)


def check(log: Path, clients: list[Client], killed: int) -> Outcome:
    """Compare what clients received with what is in the log."""
    check_chain(log)
    found = by_request(log)
    received = {id: reply for client in clients for id, reply in client.received.items()}
    unanswered = {id for client in clients for id in client.unanswered}
    lost = received.keys() - found.keys()
    assert not lost, f"{len(lost)} answers were received that the log does not have: {lost}"
    for id, (reply, method, kind) in received.items():
        fields = found[id]
        said = (
            fields["context"]["http_status"],
            fields["context"]["method"],
            fields["resource_type"],
            fields["resource_id"],
            fields["result"],
        )
        assert said == (reply.status, method, kind, id, "success"), fields
    # The servers' own start is asked for as /health, which is left out.
    extra = found.keys() - received.keys()
    assert extra <= unanswered, f"entries of requests that nobody made: {extra - unanswered}"
    return Outcome(len(received), len(unanswered), len(extra), killed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="for each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load in a round")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--only", choices=KINDS, action="append")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    for name in options.only or KINDS:
        for number in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="web-crash-") as folder:
                outcome = run_round(Path(folder), name, options.seed + number, options.seconds)
            print(f"{name} {number}: {outcome}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
