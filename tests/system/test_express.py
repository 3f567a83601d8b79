"""An Express application and the collector, driven with real requests while both are killed."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from folders import ROOT
from programs import missing, needed, until

from chained_logging import verify

EXAMPLE = ROOT / "examples" / "express"
ROUNDS = int(os.environ.get("EXPRESS_ROUNDS", "6"))
"""How often one of the two is killed; many more in a long run."""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with npm's real express as its lock file has it."""
    needed("node", "nodejs")
    npm = needed("npm", "npm")
    folder = tmp_path_factory.mktemp("express")
    for name in ("package.json", "package-lock.json", "app.js", "audit.js"):
        shutil.copy(EXAMPLE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        missing(f"npm ci did not work: {done.stderr[-500:]}")
    return folder


class Servers:
    """The collector and Node, each of which can be killed and started again."""

    def __init__(self, application: Path, folder: Path) -> None:
        self.application = application
        self.folder = folder
        self.log = folder / "audit.jsonl"
        self.port = 0
        self.spill = False
        self.node: subprocess.Popen[str] | None = None
        self.collector: subprocess.Popen[str] | None = None

    def start_collector(self) -> None:
        self.collector = subprocess.Popen(
            [
                *(sys.executable, "-m", "chained_logging", "collect", self.log),
                *("--socket", self.folder / "s"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.collector.stderr is not None
        assert "collecting on" in self.collector.stderr.readline()

    def start_node(self) -> None:
        environment = {"AUDIT_SOCKET": str(self.folder / "s"), "PORT": str(self.port)}
        if self.spill:
            environment["AUDIT_SPILL"] = str(self.folder / "spill")
        self.node = subprocess.Popen(
            ["node", "app.js"],
            cwd=self.application,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.node.stdout is not None
        self.port = int(self.node.stdout.readline().removeprefix("listening on "))

    def kill(self, name: str) -> None:
        process: subprocess.Popen[str] | None = getattr(self, name)
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            setattr(self, name, None)

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None:
                sent["Content-Type"] = "application/json"
                body = json.dumps(body)
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def entries(self) -> list[dict[str, Any]]:
        whole, _, _ = self.log.read_bytes().rpartition(b"\n")  # the last line may be half there
        snapshot = self.folder / "snapshot.jsonl"
        snapshot.write_bytes(whole + b"\n")
        return check_chain(snapshot)[1:]


@pytest.fixture
def servers(application: Path, tmp_path: Path) -> Iterator[Servers]:
    made = Servers(application, tmp_path)
    try:
        made.start_collector()
        made.start_node()
        yield made
    finally:
        made.kill("node")
        made.kill("collector")


def test_a_request_is_an_entry_with_who_what_and_where(servers: Servers) -> None:
    status, body = servers.request(
        *("GET", "/patients/456?page=2&token=S3cret&code=S3cret"),
        x_user="user-7",
        x_request_id="r-1",
        user_agent="test/1",
        cookie="a=b; session=S3cret",
    )
    assert (status, json.loads(body)["id"]) == (200, "456")
    (entry,) = servers.entries()
    context = entry["context"]
    assert (entry["actor_id"], entry["actor_type"]) == ("user-7", "user")
    assert (entry["action"], entry["result"]) == ("read", "success")
    assert (entry["resource_type"], entry["resource_id"]) == ("patients", "456")
    assert (entry["ip_address"], entry["user_agent"]) == ("127.0.0.1", "test/1")
    assert entry["session_id"] == hashlib.sha256(b"S3cret").hexdigest()
    assert (context["http_status"], context["method"]) == (200, "GET")
    assert (context["route"], context["request_id"]) == ("/patients/{id}", "r-1")
    assert context["query"] == "page=2&token=[redacted]&code=[redacted]"
    assert isinstance(context["duration_ms"], int)
    assert context["peer"]["transport"] == "unix"
    assert "invalid" not in context
    assert b"S3cret" not in servers.log.read_bytes()


@pytest.mark.parametrize(
    ("method", "path", "user", "expected"),
    [
        ("GET", "/patients", "", ("read", "patients/*", "success", 200)),
        ("HEAD", "/patients/7", "", ("read", "patients/7", "success", 200)),
        ("GET", "/patients/7/notes", "", ("read", "patients.notes/7", "success", 200)),
        ("PUT", "/patients/7", "", ("write", "patients/7", "denied", 401)),
        ("PUT", "/patients/7", "ann", ("write", "patients/7", "success", 200)),
        ("DELETE", "/patients/7", "ann", ("delete", "patients/7", "denied", 403)),
        ("GET", "/no/such%0Apath", "", ("read", "path//no/such%0Apath", "failure", 404)),
        ("GET", "/fail", "", ("read", "fail/*", "failure", 500)),
        ("GET", "/stream", "", ("read", "stream/*", "success", 200)),
        ("GET", "/file", "", ("read", "file/*", "success", 200)),
        ("PROPFIND", "/x", "", ("propfind", "path//x", "failure", 404)),
    ],
)
def test_the_rules_are_those_of_the_asgi_middleware(
    servers: Servers, method: str, path: str, user: str, expected: tuple[Any, ...]
) -> None:
    headers = {"x_user": user} if user else {}
    status, _ = servers.request(method, path, {} if method == "PUT" else None, **headers)
    (entry,) = servers.entries()
    action, resource, result, code = expected
    assert status == code == entry["context"]["http_status"]
    assert (entry["action"], entry["result"]) == (action, result)
    assert f"{entry['resource_type']}/{entry['resource_id']}" == resource
    assert entry["actor_id"] == (user or "anonymous")


def test_routes_are_named_and_handlers_log_with_the_requests_actor(servers: Servers) -> None:
    assert servers.request("GET", "/p/9", x_user="ann")[0] == 204
    inner, entry = servers.entries()
    assert (inner["action"], inner["actor_id"], inner["ip_address"]) == (
        *("lookup", "ann"),
        "127.0.0.1",
    )
    assert (entry["resource_type"], entry["resource_id"]) == ("patient_record", "9")
    assert entry["action"] == "export"
    assert inner["context"]["request_id"] == entry["context"]["request_id"]


def test_what_changed_and_what_failed_is_said_without_secrets(servers: Servers) -> None:
    servers.request("PUT", "/patients/7", {"ward": 8, "password": "S3cret"}, x_user="ann")
    servers.request("GET", "/fail")
    assert servers.request("PUT", "/patients/7", "not an object", x_user="ann")[0] == 400
    put, fail, bad = servers.entries()
    assert put["changed_fields"] == ["ward", "password"]
    assert fail["context"]["exception"] == {
        "type": "TypeError",
        "message": "no such column: password=[redacted]",
    }
    assert bad["result"] == "failure"
    assert b"S3cret" not in servers.log.read_bytes()


def test_a_client_that_goes_away_is_a_failure(servers: Servers) -> None:
    with socket.create_connection(("127.0.0.1", servers.port)) as client:
        client.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"and then nothing" in client.recv(1000)
    until(lambda: len(servers.entries()) == 1, "it is noticed")
    (entry,) = servers.entries()
    assert (entry["result"], entry["context"]["cause"]) == ("failure", "the client was gone")


def test_what_is_left_out_is_left_out(servers: Servers) -> None:
    assert servers.request("GET", "/health") == (200, b"well")
    assert servers.entries() == []


PATHS = ("/patients/1", "/stream", "/file", "/p/1", "/fail", "/nothing")


def test_while_the_collector_is_away_there_is_a_503_within_a_second(servers: Servers) -> None:
    servers.kill("collector")
    for path in PATHS:
        started = time.monotonic()
        status, body = servers.request("GET", path)
        assert (status, json.loads(body)) == (503, {"error": "the audit log is not available"})
        assert time.monotonic() - started < 3  # a second, and a busy machine
    assert servers.request("GET", "/health") == (200, b"well")
    servers.start_collector()
    until(lambda: servers.request("GET", "/patients/1")[0] == 200, "the collector is found")
    statuses = [e["context"].get("http_status") for e in servers.entries()]
    assert set(statuses) == {200}  # no handler was called meanwhile


def test_a_collector_that_hangs_makes_a_503_of_the_answer(servers: Servers) -> None:
    assert servers.collector is not None
    assert servers.request("GET", "/patients/1")[0] == 200
    servers.collector.send_signal(signal.SIGSTOP)
    try:
        for path in ("/patients/2", "/file", "/fail"):
            status, body = servers.request("GET", path)
            assert (status, b"not available" in body) == (503, True)
        with pytest.raises(http.client.IncompleteRead):  # its head was out already
            servers.request("GET", "/stream")
    finally:
        servers.collector.send_signal(signal.SIGCONT)


def test_a_spill_keeps_events_until_the_collector_is_back(servers: Servers) -> None:
    servers.kill("node")
    servers.spill = True
    servers.start_node()
    servers.kill("collector")
    spill = servers.folder / "spill"
    began = datetime.now(UTC)
    got = {path: servers.request("GET", path, x_request_id=path[1:])[0] for path in PATHS}
    assert got == dict(zip(PATHS, (200, 200, 200, 204, 500, 404), strict=True))
    ended = datetime.now(UTC)
    assert stat.S_IMODE(spill.stat().st_mode) == 0o600
    servers.kill("node")  # it is the next process that sends them
    servers.start_node()
    assert servers.request("GET", "/patients/9")[0] == 200
    servers.start_collector()
    until(lambda: len(servers.entries()) == len(PATHS) + 2, "the spill is sent")
    entries = [e for e in servers.entries() if e["resource_id"] != "9"]
    names = Counter(e["context"]["request_id"] for e in entries)
    assert names == Counter({path[1:]: 2 if path == "/p/1" else 1 for path in PATHS})
    for entry in entries:
        at = datetime.fromisoformat(entry["timestamp"])
        assert began - timedelta(seconds=1) < at < ended + timedelta(seconds=1)
        assert "invalid" not in entry["context"]
    until(lambda: not list(servers.folder.glob("spill*")), "the file is gone")
    assert verify(servers.log).intact


def test_a_spill_that_others_can_read_or_that_is_a_link_is_not_used(servers: Servers) -> None:
    servers.kill("node")
    servers.spill = True
    servers.start_node()
    servers.kill("collector")
    spill = servers.folder / "spill"
    spill.write_text("")
    spill.chmod(0o644)
    assert servers.request("GET", "/patients/1")[0] == 503
    spill.unlink()
    spill.symlink_to(servers.folder / "victim")
    assert servers.request("GET", "/patients/1")[0] == 503
    assert not (servers.folder / "victim").exists()


def test_a_spill_of_others_is_not_sent(servers: Servers) -> None:
    servers.kill("node")
    spill = servers.folder / "spill"
    spill.write_text('{"action":"forged"}\n')
    spill.chmod(0o644)
    servers.spill = True
    servers.start_node()
    assert servers.request("GET", "/patients/1")[0] == 200
    assert [entry["action"] for entry in servers.entries()] == ["read"]
    assert spill.read_text() == '{"action":"forged"}\n'


def test_sigterm_lets_requests_end(servers: Servers) -> None:
    assert servers.node is not None
    answer: list[tuple[int, bytes]] = []
    thread = threading.Thread(target=lambda: answer.append(servers.request("GET", "/stream")))
    thread.start()
    time.sleep(0.02)
    servers.node.terminate()
    assert servers.node.wait(20) == 0
    thread.join()
    if answer:
        assert answer == [(200, b"one\ntwo\nthree\n")]
        assert len(servers.entries()) == 1


def test_every_answer_that_a_client_has_is_in_the_log_once(servers: Servers) -> None:
    """Under load, with Node or the collector killed at random."""
    seed = int(os.environ.get("EXPRESS_SEED", str(time.time_ns() % 10**6)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    stop = threading.Event()
    sent: list[str] = []
    received: dict[str, int] = {}
    refused: set[str] = set()

    def load(worker: int) -> None:
        mine = random.Random(seed + worker)
        number = 0
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=20)
            try:
                while not stop.is_set():
                    number += 1
                    name = f"{worker}-{number}"
                    method, path = mine.choice(
                        [
                            ("GET", "/patients/456"),
                            ("GET", "/stream"),
                            ("GET", "/file"),
                            ("DELETE", "/patients/7"),
                            ("GET", "/fail"),
                            ("HEAD", "/patients"),
                        ]
                    )
                    sent.append(name)
                    connection.request(method, path, headers={"X-Request-Id": name})
                    response = connection.getresponse()
                    response.read()  # raises unless all of it came
                    if response.status == 503:  # it may be stored, or not
                        refused.add(name)
                    else:
                        received[name] = response.status
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            finally:
                connection.close()

    threads = [threading.Thread(target=load, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(ROUNDS):
            before = len(received)
            until(lambda before=before: len(received) > before + 20, "requests are answered")
            time.sleep(chance.random() * 0.4)
            name = chance.choice(["node", "collector"])
            servers.kill(name)
            time.sleep(chance.random() * 0.2)
            (servers.start_node if name == "node" else servers.start_collector)()
        before = len(received)
        until(lambda: len(received) > before + 20, "requests are answered")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    time.sleep(0.3)
    entries = servers.entries()
    count = Counter(e["context"]["request_id"] for e in entries if "request_id" in e["context"])
    status = {
        e["context"]["request_id"]: e["context"].get("http_status")
        for e in entries
        if "request_id" in e["context"]
    }
    assert {name for name in received if count[name] != 1} == set()
    assert {name: status[name] for name in received} == received
    assert max(count.values()) == 1
    assert set(count) <= set(sent)
    unanswered = set(count) - set(received) - refused
    assert len(unanswered) <= 6 * ROUNDS  # those that were in flight
    assert verify(servers.log).intact
    print(f"{len(received)} answers, {len(unanswered)} entries without one, {ROUNDS} kills")
