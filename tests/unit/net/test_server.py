"""The HTTP server: a client that is silent or slow keeps nobody else, and for no longer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import until

from chained_logging import AuditLog
from chained_logging.collector import Collector
from chained_logging.net.head import Head
from chained_logging.net.server import (
    Admission,
    HttpServer,
    Request,
    Response,
    format_response,
)

TOKEN = "t" * 32


class Echo:
    """Answers a body with itself; the path /known shows who the client is."""

    def __init__(self) -> None:
        self.hold = threading.Event()
        self.hold.set()

    def admit(self, head: Head) -> Admission | Response:
        if head.target == "/no":
            return Response(404, b"no")
        return Admission(100_000, known=head.target == "/known")

    def answer(self, request: Request) -> Response:
        assert request.head.target != "/fail"
        self.hold.wait(20)
        return Response(200, request.body)

    def refuse(self, status: int, reason: str) -> Response:
        return Response(status, reason.encode())


@contextlib.contextmanager
def echo(**options: float) -> Iterator[tuple[Echo, HttpServer]]:
    app = Echo()
    server = HttpServer(app, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    thread = server.start()
    try:
        yield app, server
    finally:
        app.hold.set()
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def request(path: str = "/", body: bytes = b"hello", last: bool = True) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n" if last else b"") + b"\r\n" + body


def exchange(server: HttpServer, data: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


def test_requests_follow_each_other_on_a_connection() -> None:
    with echo() as (_, server):
        answer = exchange(server, request(last=False) * 3 + request("/known"))
        assert answer.count(b"HTTP/1.1 200 OK") == 4
        assert answer.count(b"Connection: close") == 1
        assert exchange(server, request("/no")).startswith(b"HTTP/1.1 404 ")
        assert exchange(server, request("/fail")).startswith(b"HTTP/1.1 500 ")
        assert exchange(server, request(body=b"x" * 100_001)).startswith(b"HTTP/1.1 413 ")


def test_who_is_known_is_not_sent_away_and_has_a_budget() -> None:
    with echo(strangers=4, connections=2) as (_, server):
        kept = [socket.create_connection(server.address, timeout=20) for _ in range(2)]
        for one in kept:
            one.sendall(request("/known", last=False))
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
        silent = [socket.create_connection(server.address, timeout=20) for _ in range(40)]
        assert exchange(server, request()).startswith(b"HTTP/1.1 200")
        assert exchange(server, request("/known")).startswith(b"HTTP/1.1 503")
        for one in kept:
            one.sendall(request("/known", last=False))
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
        for one in kept + silent:
            one.close()


def test_requests_of_strangers_do_not_pile_up() -> None:
    with echo(strangers=3) as (app, server):
        app.hold.clear()
        waiting = []
        for number in range(12):
            one = socket.create_connection(server.address, timeout=20)
            one.sendall(request())
            waiting.append(one)
            if number < 3:
                time.sleep(0.3)  # for it to be at work
            else:
                assert one.recv(1000).startswith(b"HTTP/1.1 503")
        app.hold.set()
        for one in waiting[:3]:
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
        for one in waiting:
            one.close()


@pytest.mark.parametrize(
    "begin", [b"", b"POST ", b"POST / HTTP/1.1\r\nHost: x\r\n", request(body=b"x" * 100)[:-90]]
)
def test_a_deadline_is_that_of_the_whole_request(begin: bytes) -> None:
    with echo(timeout=0.5) as (_, server):
        started = time.monotonic()
        with socket.create_connection(server.address, timeout=20) as connection:
            connection.sendall(begin)
            with contextlib.suppress(OSError):
                for _ in range(200):  # each byte is in time
                    connection.sendall(b"x")
                    time.sleep(0.05)
        assert time.monotonic() - started < 5


def test_what_had_come_is_answered_when_it_stops() -> None:
    with echo() as (app, server):
        app.hold.clear()
        with (
            socket.create_connection(server.address, timeout=20) as asked,
            socket.create_connection(server.address, timeout=20) as idle,
        ):
            asked.sendall(request(last=False))
            time.sleep(0.3)
            server.stop()
            assert idle.recv(10) == b""
            app.hold.set()
            assert asked.recv(1000).startswith(b"HTTP/1.1 200")
            assert asked.recv(10) == b""


def test_who_does_not_take_the_answer_is_left() -> None:
    with (
        echo(timeout=0.5) as (_, server),
        socket.create_connection(server.address, timeout=20) as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        for _ in range(200):
            with contextlib.suppress(OSError):
                connection.sendall(request(body=b"x" * 99_000, last=False))
        until(lambda: not server._connections, "it is left")


def test_clients_without_the_token_keep_nobody_out(tmp_path: Path) -> None:
    """They are more than there are connections, drip, and come again at once."""
    stop = threading.Event()
    event = b'{"action":"x","actor":"u","resource":"a/b","ip":"10.0.0.1"}'
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode()
    head += b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(event)

    def drip(address: tuple[str, int]) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(address) as connection:
                for _ in range(20):
                    connection.sendall(b"P")
                    if stop.wait(0.1):
                        return

    with (
        AuditLog(tmp_path / "a.jsonl") as log,
        Collector(log, tmp_path / "s", http=("127.0.0.1", 0), token=TOKEN, connections=4) as here,
    ):
        threads = [threading.Thread(target=drip, args=(here.http_address,)) for _ in range(40)]
        idle = [socket.create_connection(here.http_address) for _ in range(300)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                with socket.create_connection(here.http_address, timeout=20) as connection:
                    connection.sendall(head + event)
                    assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for one in idle:
                one.close()


@pytest.mark.parametrize(("expect", "status"), [(b"100-continue", b"200"), (b"tea", b"417")])
def test_a_client_may_ask_before_it_sends_a_body(expect: bytes, status: bytes) -> None:
    head = request(body=b"hello")[: -len(b"\r\nhello")] + b"Expect: %b\r\n\r\n" % expect
    with echo() as (_, server), socket.create_connection(server.address, timeout=20) as asking:
        asking.sendall(head)
        first = asking.recv(1000)
        if status == b"200":
            assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
            asking.sendall(b"hello")
            first = asking.recv(1000)
        assert first.startswith(b"HTTP/1.1 " + status)


def test_an_answer_to_head_has_no_body() -> None:
    response = Response(200, b"body", "text/x", (("X-Y", "z"),))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 4\r\nX-Y: z\r\n\r\n"
    assert format_response(response, "GET", last=False) == head + b"body"
    assert format_response(response, "HEAD", last=False) == head
    assert b"Connection: close\r\n" in format_response(response, "GET", last=True)
