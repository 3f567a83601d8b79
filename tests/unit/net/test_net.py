"""The HTTP server and client: who is silent, slow or lies keeps nobody else, and for no longer."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import until

from chained_logging import AuditLog
from chained_logging.collector import Collector
from chained_logging.errors import NetError, TooLong
from chained_logging.net.client import Client
from chained_logging.net.head import BadRequest, Head, check_line, parse_head
from chained_logging.net.server import Admission, HttpServer, Request, Response
from chained_logging.transparency import timestamps
from chained_logging.transparency.witness import WitnessError, ask

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


def test_a_line_of_spaces_takes_linear_time() -> None:
    started = time.process_time()
    for line in (b"x:" + b" " * 16_000 + b"\x01", b"x:" + b" a" * 8_000 + b"\x01"):
        with pytest.raises(BadRequest):
            parse_head([b"GET / HTTP/1.1", b"Host: x", line])
    assert time.process_time() - started < 1


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


# --- The client.


@contextlib.contextmanager
def lying(talk: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[int]]]:
    """Serve connections, each in a thread, and count them."""
    listening = socket.create_server(("127.0.0.1", 0))
    count: list[int] = []
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                count.append(1)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", count
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(20)


def _forever(begin: bytes, again: bytes, pause: float) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(begin)
        while True:
            connection.sendall(again)
            time.sleep(pause)

    return talk


ENDLESS = {
    "slow status": _forever(b"", b"H", 0.05),
    "slow headers": _forever(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05),
    "one long header": _forever(b"HTTP/1.1 200 OK\r\nx: ", b"y", 0.05),
    "continue": _forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "continue at once": _forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0),
    "slow body": _forever(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"x", 0.05),
    "slow chunks": _forever(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05
    ),
    "nothing": lambda connection: time.sleep(8),
    "early": _forever(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 10, 0.3),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_deadline_is_that_of_all_together(kind: str) -> None:
    with lying(ENDLESS[kind]) as (url, _):
        started = time.monotonic()
        with pytest.raises((NetError, timestamps.TimestampError), match="answer"):
            timestamps.fetch(f"{url}/tsa", b"note", timeout=0.5)
        with pytest.raises(WitnessError):
            ask(url, 0, [], b"note", timeout=0.5)
        assert time.monotonic() - started < 6


def test_a_server_that_does_not_read_is_left() -> None:
    with lying(lambda connection: time.sleep(8)) as (url, _), Client() as client:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.post(url, bytes(50_000_000), {}, timeout=0.5, limit=10)
        assert time.monotonic() - started < 6


def test_an_answer_has_a_bound() -> None:
    endless = _forever(b"HTTP/1.1 200 OK\r\n\r\n", bytes(100_000), 0)
    with lying(endless) as (url, _), Client() as client, pytest.raises(TooLong):
        client.post(url, b"", {}, timeout=20, limit=1_000_000)


def test_a_name_that_is_not_resolved_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    started = time.monotonic()
    with Client() as client, pytest.raises(TimeoutError, match="not resolved in time"):
        client.post("http://x.example/", b"", {}, timeout=0.3, limit=10)
    assert time.monotonic() - started < 2.5


def test_a_connection_is_kept_and_made_again_where_it_was_closed() -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            data = b""
            while not data.endswith(b"body"):
                part = connection.recv(65_536)
                if not part:
                    return
                data += part
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with lying(talk) as (url, count), Client() as client:
        for number in range(6):
            answer = client.post(url, b"body", {}, timeout=20, limit=10)
            assert (answer.status, answer.body) == (200, b"ok")
            time.sleep(0.05)
            assert len(count) == number // 2 + 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_environments_proxy_is_asked(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    with lying(talk) as (proxy, _), Client() as client:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", "//me:pass%20word@"))
        monkeypatch.delenv("no_proxy", raising=False)
        with contextlib.suppress(OSError):  # the tunnel is refused
            assert client.post(f"{scheme}://x.example/a", b"", {}, timeout=9, limit=9).status == 403
    first = seen[0].split(b"\r\n")[0]
    tunnel = scheme == "https"
    assert first == (b"CONNECT x.example:443" if tunnel else b"POST http://x.example/a") + (
        b" HTTP/1.1" if first.endswith(b"1.1") else b" HTTP/1.0"
    )
    assert b"Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk" in seen[0]


# --- What is taken means the same to an independent parser.

_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Host: x", b"Content-Length: 3", b"content-length:3", b"Connection: close", b"a: b"]
        ),
        st.binary(max_size=12),
        st.tuples(st.sampled_from([b"Host", b"x", b"Expect", b"Content-Length"]), st.binary()).map(
            b": ".join
        ),
    ),
    max_size=6,
)


@settings(max_examples=often(300), deadline=None)
@given(
    st.one_of(
        st.just(b"POST /v1/events HTTP/1.1"),
        st.binary(max_size=20).map(b"POST /%b HTTP/1.1".__mod__),
    ),
    _LINES,
)
def test_a_head_that_is_taken_means_the_same_to_h11(first: bytes, lines: list[bytes]) -> None:
    h11 = pytest.importorskip("h11")
    data = b"\r\n".join([first, *lines, b"", b""])
    whole = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        for line in whole[:-2].split(b"\n")[:-1]:
            check_line(line + b"\n")
        head = parse_head(whole[:-4].split(b"\r\n"))
    except BadRequest:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(whole)
    said = other.next_event()
    assert (said.method.decode(), said.target.decode()) == (head.method, head.target)
    for name, value in said.headers:
        assert value.decode("latin-1") in head.headers[name.decode()]
    length = dict(said.headers).get(b"content-length", b"0")
    assert int(length) == head.length
