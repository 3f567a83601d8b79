"""The collector: what was acknowledged is stored, exactly once, whoever dies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from programs import until

from chained_logging import AuditLog, verify
from chained_logging.collector import MAX_LINE, MAX_REQUEST, Collector, read_token
from chained_logging.collector.store import Store
from chained_logging.errors import Busy, ForeignFile

EVENT = {"action": "read", "actor": "user-1", "resource": "patient/456", "ip": "10.0.0.1"}
COLLECT = (sys.executable, "-m", "chained_logging", "collect")
TOKEN = "0123456789abcdef0123"
ROUNDS = int(os.environ.get("COLLECTOR_ROUNDS", "6"))
"""How often the collector is killed; many more in a long run."""


class Client:
    """A program that speaks the protocol, with nothing of the package."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def send(self, *events: Any) -> None:
        lines = [e if isinstance(e, bytes) else json.dumps(e).encode() + b"\n" for e in events]
        self.socket.sendall(b"".join(lines))

    def answer(self) -> Any:
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, *events: Any) -> Any:
        self.send(*events)
        answers = [self.answer() for _ in events]
        return answers[0] if len(answers) == 1 else answers

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Here:
    """A collector in this process, whose log a test can look at."""

    def __init__(self, folder: Path, **options: Any) -> None:
        strict = options.pop("strict", False)
        self.path = folder / "audit.jsonl"
        self.socket = folder / "s"
        self.log = AuditLog(self.path, on_failure="raise", strict=strict)
        self.collector = Collector(self.log, self.socket, **options)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self.collector.stop()
        self.log.close()

    def entries(self) -> list[dict[str, Any]]:
        return check_chain(self.path)[1:]


@contextlib.contextmanager
def command(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `chained-logging collect`; it has said that it listens."""
    process = subprocess.Popen(
        [*COLLECT, str(folder / "audit.jsonl"), "--socket", str(folder / "s"), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert "collecting on" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


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


def test_a_line_that_was_cut_off_is_not_stored(tmp_path: Path) -> None:
    with Here(tmp_path) as here, Client(here.socket) as client:
        client.send(EVENT, json.dumps(EVENT).encode())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer()["seq"] == 1
        assert "cut off" in client.answer()["error"]
        assert client.answer() is None
        assert len(here.entries()) == 1


def test_who_shuts_its_reading_side_gets_no_answers_and_loses_nothing(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        with Client(here.socket) as client:
            client.socket.shutdown(socket.SHUT_RD)
            for n in range(3000):
                client.send({**EVENT, "n": n})
        until(lambda: here.path.read_bytes().count(b"\n") == 3001, "all are stored")


def test_who_goes_away_without_reading_loses_nothing(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        with Client(here.socket) as client:
            client.send(*({**EVENT, "n": n} for n in range(500)))
        until(lambda: here.path.read_bytes().count(b"\n") == 501, "all are stored")
        assert [e["context"]["n"] for e in here.entries()] == list(range(500))


def test_who_sends_without_reading_is_made_to_wait_and_then_cut_off(tmp_path: Path) -> None:
    with Here(tmp_path, timeout=1.0) as here, Client(here.socket) as client:
        sent = 0
        with contextlib.suppress(OSError):  # first it blocks, then the connection is gone
            for sent in range(100_000):
                client.send({**EVENT, "n": sent})
        until(lambda: not here.collector._unix._open, "the connection is closed")
        stored = [e["context"]["n"] for e in here.entries()]
        assert 0 < sent < 50_000  # not all piled up in somebody's memory
        assert stored == list(range(len(stored)))


def test_a_slow_line_is_cut_off_and_an_idle_connection_is_not(tmp_path: Path) -> None:
    with (
        Here(tmp_path, timeout=0.5) as here,
        Client(here.socket) as idle,
        Client(here.socket) as slow,
    ):
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            for byte in json.dumps(EVENT).encode()[:30]:
                slow.send(bytes([byte]))
                time.sleep(0.1)
        assert "must end within 0.5 seconds" in slow.answer()["error"]
        assert slow.answer() is None
        assert time.monotonic() - began < 10
        time.sleep(0.6)
        assert idle.ask(EVENT)["seq"] == 1


def test_too_many_connections_are_told_so(tmp_path: Path) -> None:
    with Here(tmp_path, connections=2) as here:
        with Client(here.socket) as one, Client(here.socket) as two:
            assert one.ask(EVENT)["seq"] == 1
            assert two.ask(EVENT)["seq"] == 2
            with Client(here.socket) as three:
                answer = three.answer()
                assert answer == {"error": "there are too many connections", "retry": True}
                assert three.answer() is None

        def again() -> bool:
            with Client(here.socket) as client, contextlib.suppress(OSError):
                return "seq" in client.ask(EVENT)
            return False

        until(again, "there is a place again")


def test_who_never_sent_a_line_makes_way(tmp_path: Path) -> None:
    with Here(tmp_path, connections=3) as here, contextlib.ExitStack() as stack:
        first = stack.enter_context(Client(here.socket))
        assert first.ask(EVENT)["seq"] == 1
        silent = [stack.enter_context(Client(here.socket)) for _ in range(9)]
        silent[-1].socket.sendall(b'{"action"')  # half a line is none
        with Client(here.socket) as late:
            assert late.ask(EVENT)["seq"] == 2
            assert first.ask(EVENT)["seq"] == 3


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


# --- The socket file.


def test_the_socket_is_the_owners_alone_or_as_was_said(tmp_path: Path) -> None:
    with Here(tmp_path) as here:
        assert stat.S_IMODE(here.socket.stat().st_mode) == 0o600
    with Here(tmp_path, mode=0o660) as here:
        assert stat.S_IMODE(here.socket.stat().st_mode) == 0o660
    assert not here.socket.exists()


def test_a_dead_collectors_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        with (
            AuditLog(tmp_path / "other.jsonl") as log,
            pytest.raises(Busy, match="a collector is running"),
        ):
            Collector(log, tmp_path / "s")
        with Client(tmp_path / "s") as client:
            assert client.ask(EVENT)["seq"] == 1
        process.kill()
        process.wait()
    assert (tmp_path / "s").exists()
    with command(tmp_path), Client(tmp_path / "s") as client:
        assert client.ask(EVENT)["seq"] == 2


def test_what_is_not_a_dead_collectors_socket_is_left_alone(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ForeignFile, match="exists and is not a socket"):
            Collector(log, tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"
        (tmp_path / "link").symlink_to(tmp_path / "file")
        with pytest.raises(ForeignFile, match="exists and is not a socket"):
            Collector(log, tmp_path / "link")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "other"))
            other.listen()
            with pytest.raises(Busy, match="another program listens"):
                Collector(log, tmp_path / "other")
        with pytest.raises(OSError):  # noqa: PT011  # the kernel's own sentence
            Collector(log, tmp_path / "no-such-folder" / "s")


# --- Ends.


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


# --- HTTP.


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Here]:
    with Here(tmp_path, http=("127.0.0.1", 0), token=TOKEN, timeout=1.0) as here:
        yield here


def post(
    here: Here,
    body: bytes,
    kind: str = "application/json",
    path: str = "/v1/events",
    **headers: str,
) -> tuple[int, list[Any], http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(*here.collector.http_address, timeout=20)
    try:
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind} | headers
        connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in sent.items()})
        response = connection.getresponse()
        return response.status, [json.loads(x) for x in response.read().splitlines()], response
    finally:
        connection.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_http_says_that_events_are_posted(web: Here, method: str) -> None:
    connection = http.client.HTTPConnection(*web.collector.http_address, timeout=20)
    try:
        connection.request(method, "/v1/events", headers={"Authorization": f"Bearer {TOKEN}"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    assert (response.status, response.getheader("Allow")) == (405, "POST")
    assert "post events to /v1/events" in answer["error"]


def test_http_takes_one_event_or_lines(web: Here) -> None:
    status, answers, _ = post(web, json.dumps(EVENT, indent=1).encode())
    assert (status, answers[0]["seq"]) == (201, 1)
    lines = b"".join(json.dumps({**EVENT, "n": n}).encode() + b"\n" for n in range(600))
    status, answers, _ = post(web, lines, "application/x-ndjson")
    assert (status, [a["seq"] for a in answers]) == (201, list(range(2, 602)))
    status, answers, _ = post(web, b'{"action":"x"}\nbad\n', "application/jsonl")
    assert status == 400
    assert (answers[0]["seq"], answers[1]["line"]) == (602, 2)
    assert web.entries()[0]["context"]["peer"] == {"transport": "http", "address": "127.0.0.1"}
    assert web.entries()[-1]["actor_id"] == "http"


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (401, {"Authorization": ""}),
        (401, {"Authorization": f"Basic {TOKEN}"}),
        (401, {"Authorization": f"Bearer {TOKEN[:-1]}"}),
        (401, {"Authorization": f"Bearer {TOKEN}x"}),
        (401, {"Authorization": "Bearer \xff\xfe"}),
        (404, {"path": "/v1/other"}),
        (415, {"kind": "text/plain"}),
        (413, {"Content_Length": str(MAX_REQUEST + 1)}),
        (400, {"Content_Length": "-5"}),
        (400, {"Content_Length": "9" * 50}),
        (411, {"Transfer_Encoding": "chunked"}),
    ],
)
def test_http_refuses_what_it_must(web: Here, status: int, options: dict[str, str]) -> None:
    got, answers, _ = post(web, json.dumps(EVENT).encode(), **options)
    assert got == status
    assert TOKEN not in json.dumps(answers)
    assert web.entries() == []


def test_http_says_when_to_come_again(web: Here) -> None:
    web.log.close()
    status, answers, response = post(web, json.dumps(EVENT).encode())
    assert (status, response.headers["Retry-After"]) == (503, "1")
    assert answers[0]["retry"] is True


def test_slow_and_broken_http_is_cut_off(web: Here) -> None:
    for data in (
        b"POST /v1/events HTTP/1.1\r\nHost",
        b"\x00\xff" * 50_000,
        b"GET / HTTP/1.1\r\n\r\n",
    ):
        with (
            socket.create_connection(web.collector.http_address, timeout=20) as raw,
            contextlib.suppress(OSError),
        ):
            raw.sendall(data)
            while raw.recv(65536):
                pass
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection(web.collector.http_address, timeout=20) as raw:
        raw.sendall(head.encode() + b'{"action"')
        assert raw.recv(1) == b""  # no answer, as not all of it came
    assert web.entries() == []
    assert post(web, json.dumps(EVENT).encode())[0] == 201


def test_http_is_for_this_machine_and_needs_a_token(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        for host in ("0.0.0.0", "192.168.1.1", "::", "example.com", ""):
            with pytest.raises(ValueError, match="is not a loopback address"):
                Collector(log, tmp_path / "s", http=(host, 0), token=TOKEN)
        for token in (None, "short"):
            with pytest.raises(ValueError, match="needs a token"):
                Collector(log, tmp_path / "s", http=("127.0.0.1", 0), token=token)
        with Collector(log, tmp_path / "s"):
            pass


def test_a_token_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o640)
    with pytest.raises(ForeignFile, match="must be readable by its owner only"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == TOKEN
    file.write_text("short\n")
    with pytest.raises(ValueError, match="must be a token of at least") as caught:
        read_token(file)
    assert "short" not in str(caught.value)


def test_the_command_serves_both(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with command(tmp_path, "--http", "127.0.0.1:0", "--token-file", str(file)) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2].removesuffix("/v1/events\n"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        for seq in (1, 2):  # on one connection
            connection.request("POST", "/v1/events", json.dumps(EVENT), headers)
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["seq"]) == (201, seq)
        with Client(tmp_path / "s") as client:
            assert client.ask(EVENT)["seq"] == 3
        process.terminate()
        assert process.wait(20) == 0
        connection.close()
    refused = subprocess.run(
        [
            *(*COLLECT, str(tmp_path / "audit.jsonl"), "--socket", str(tmp_path / "s")),
            *("--http", "0.0.0.0:0", "--token-file", str(file)),
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "not a loopback address" in refused.stderr
    assert TOKEN not in refused.stderr
