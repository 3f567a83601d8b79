"""Events over HTTP: from this machine, with the token, and refused otherwise."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collecting import EVENT, TOKEN, Here

from chained_logging import AuditLog
from chained_logging.collector import MAX_REQUEST, Collector, read_token
from chained_logging.collector.http import loopback
from chained_logging.errors import ForeignFile


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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1"])
def test_a_loopback_address_is_taken_as_it_is(host: str) -> None:
    assert loopback(host, 8181) == (host, 8181)


@pytest.mark.parametrize("charset", ["latin-1", '"UTF-16"'])
def test_http_takes_utf_8_alone(web: Here, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    assert post(web, json.dumps(EVENT).encode(), kind)[0] == 415
    assert post(web, json.dumps(EVENT).encode(), "application/json; charset=UTF-8")[0] == 201
