"""A witness on HTTP."""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import oracles
import pytest
from chains import often
from hypothesis import given, settings
from hypothesis import strategies as st
from note_keys import LOG_KEY, ORIGIN, WITNESS, WITNESS_KEY
from witness_logs import A
from witness_servers import TEXT, get, holds, post, raw, serving

from chained_logging.format import note as notes
from chained_logging.format.note import Note, Signature
from chained_logging.transparency.witness import (
    Witness,
    WitnessConflict,
    WitnessServer,
    ask,
    serve,
    with_cosignatures,
)


def test_a_checkpoint_with_signatures_of_post_quantum_size_is_taken(url: str) -> None:
    note = Note.parse(A.note(3))
    more = [Signature(f"w.example/{n}", bytes(4), bytes(4900)) for n in range(15)]
    assert ask(url, 0, [], note.with_signatures(*more).format())


def test_a_log_grows(url: str, plain: Witness) -> None:
    before = int(time.time())
    held = 0
    for size in (0, 1, 2, 7, 7, 8, 33, 64, 64):
        signatures = ask(url, held, A.proof(held, size), A.note(size))
        assert len(signatures) == 1
        text = A.checkpoint(size).format()
        stated = holds(f"{signatures[0].format()}\n".encode(), text)
        assert before <= stated <= time.time()
        note = with_cosignatures(A.note(size), signatures, [plain.key])
        assert notes.verify_note(Note.parse(note), [LOG_KEY, WITNESS_KEY]) == [
            (LOG_KEY, None),
            (WITNESS_KEY, stated),
        ]
        held = size
    assert plain.key == WITNESS_KEY


def test_who_does_not_know_the_size_is_told(url: str) -> None:
    ask(url, 0, [], A.note(9))
    for old in (0, 3, 10, 20):
        with pytest.raises(WitnessConflict, match="over 9 entries") as caught:
            ask(url, old, A.proof(old, 20), A.note(20))
        assert (caught.value.size, caught.value.status) == (9, 409)
        assert not caught.value.temporary
    answer = post(url, A.request(0, 20))
    assert answer == (409, b"9\n", "text/x.tlog.size")
    ask(url, 9, A.proof(9, 20), A.note(20))


def test_node_verifies_a_cosignature(url: str) -> None:
    answer = post(url, A.request(0, 20)).body
    script = """
        const crypto = require("crypto");
        const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const data = Buffer.from(given.line.trimEnd().split(" ")[2], "base64");
        const der = Buffer.from("302a300506032b6570032100" + given.key, "hex");
        const key = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
        const time = data.readBigUInt64BE(4);
        const verify = (text) => crypto.verify(
            null, Buffer.from(`cosignature/v1\\ntime ${time}\\n${text}`), key, data.subarray(12));
        console.log(JSON.stringify([verify(given.text), verify(given.text + "x\\n")]));
    """
    text = A.checkpoint(20).format()
    given = {"line": answer.decode(), "key": WITNESS.public_key.hex(), "text": text}
    assert oracles.node(script, given) == [True, False]


def test_monitors_see_the_last_checkpoint(url: str) -> None:
    path = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert get(url, path).status == 404
    for old, size in ((0, 3), (3, 9)):
        (mine,) = ask(url, old, A.proof(old, size), A.note(size))
        answer = get(url, path)
        assert answer == (200, Note.parse(A.note(size)).with_signatures(mine).format(), TEXT)
        assert get(url, path, "HEAD") == (200, b"", TEXT)
    unknown = f"/{hashlib.sha256(b'unknown').hexdigest()}/checkpoint"
    for other in (unknown, path.upper(), path + "/", path + ".lock", "/", "/../x", path + "?x"):
        assert get(url, other).status == 404, other
    assert get(url, "/add-checkpoint").status == 405
    assert get(url, path, "DELETE").status == 405
    assert get(url, path, **{"Content-Length": "3"}).status == 400


@settings(deadline=None, max_examples=often(150))
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [b"GET ", b"POST ", b"HEAD ", b"/add-checkpoint", b" HTTP/1.1", b" HTTP/0.9", b"\r\n",
             b"\n", b"Content-Length: ", b"5", b"-5", b"Transfer-Encoding: chunked", b"Host: x",
             b"Expect: 100-continue", b"\0", b"\xff", b": ", b"old 7\n\n", b" ", b"Host: y"]
        ),
        max_size=25,
    ).map(b"".join)
)  # fmt: skip
def test_anything_on_the_connection(seven: tuple[Witness, str, Path], data: bytes) -> None:
    answer = raw(seven[1], data)
    assert b"Traceback" not in answer
    assert b" 500 " not in answer.partition(b"\r\n")[0]


_HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_HEAD + b"\r\n", 411),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (_HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Transfer-Encoding : chunked\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"x: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: 1, 1\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\nx", 400),
        (_HEAD + b"x: y\rContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"x: y\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"x: y\0z\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b": y\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Host: y\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Expect: 200-maybe\r\nContent-Length: 1\r\n\r\nx", 417),
        (_HEAD.replace(b"\r\n", b"\n") + b"\n", 400),
        (b"\xef\xbb\xbf" + _HEAD + b"Content-Length: 1\r\n\r\nx", 400),
        (b"\r\n" + _HEAD + b"Content-Length: 1\r\n\r\nx", 400),
        (_HEAD.replace(b"1.1", b"2.0") + b"\r\n", 505),
        (_HEAD.replace(b"Host: x\r\n", b"Content-Length: 1\r\n") + b"\r\nx", 400),
        (_HEAD.replace(b" HTTP/1.1", b"") + b"\r\n", 400),
        (_HEAD.replace(b"POST ", b"POST  ") + b"\r\n", 400),
        (_HEAD.replace(b"POST ", b"POST\t") + b"\r\n", 400),
        (_HEAD + b"x: " + b" " * 14_000 + b"\x01\r\n\r\n", 400),
        (_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: -1\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: +1\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: 1_0\r\n\r\nx", 400),
        (_HEAD + "Content-Length: \u0661\r\n\r\nx".encode(), 400),
        (_HEAD + b"Content-Length: 99999999999999999999\r\n\r\nx", 400),
        (_HEAD + b"Content-Length: 9999999999999999999\r\n\r\nx", 413),
        (_HEAD + b"Content-Length: 131073\r\n\r\n" + b"x" * 131073, 413),
        (_HEAD + b"Content-Length: 131073\r\nExpect: 100-continue\r\n\r\n", 413),
        (_HEAD + b"Content-Length: 131072\r\n\r\n" + b"x" * 131072, 400),
        (_HEAD + b"Content-Length: 0\r\n\r\n", 400),
        (_HEAD + b"x: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (_HEAD + b"x: y\r\n" * 200 + b"\r\n", 431),
        (_HEAD + (b"x: " + b"y" * 5_000 + b"\r\n") * 60 + b"\r\n", 431),
        (b"POST /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 404),
        (b"POST /add-checkpoint/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 404),
        (b"POST http://x/add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 404),
        (b"DELETE /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"hello / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
    ids=lambda value: ascii(value[-50:]) if isinstance(value, bytes) else str(value),
)
def test_odd_requests(seven: tuple[Witness, str, Path], request_: bytes, status: int) -> None:
    answer = raw(seven[1], request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]
    assert b"<" not in answer  # no HTML, so nothing of the request comes back as such
    assert b"Python" not in answer


def test_who_is_still_sending_learns_why_it_was_refused(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(_HEAD + b"Content-Length: 1000000\r\n\r\n")
        for _ in range(10):
            connection.sendall(bytes(100_000))
            time.sleep(0.02)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_connection_is_kept(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    held, socket_ = 0, None
    for size in (1, 2, 3):
        connection.request("POST", "/add-checkpoint", A.request(held, size))
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        assert connection.sock is (socket_ or connection.sock)
        held, socket_ = size, connection.sock
    connection.close()


def test_a_client_may_wait_for_the_go_ahead(url: str) -> None:
    body = A.request(0, 3)
    head = b"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n" % len(body)
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(_HEAD + head)
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "begin", [b"", b"POST ", _HEAD + b"x: ", _HEAD + b"Content-Length: 9\r\n\r\n"]
)
def test_a_slow_client_is_left(plain: Witness, begin: bytes) -> None:
    with serving(plain, timeout=0.4) as url:
        check_slow(url, begin)


def check_slow(url: str, begin: bytes) -> None:
    parts = urlsplit(url)
    started = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(begin)
        with pytest.raises(OSError, match=r"ipe|eset"):  # noqa: PT012
            # Each byte is in time, the whole is not.
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)
    assert time.monotonic() - started < 3
    assert ask(url, 0, [], A.note(3))


def test_who_says_nothing_keeps_nobody_out(plain: Witness) -> None:
    with serving(plain, strangers=3) as url:
        parts = urlsplit(url)
        idle = [
            socket.create_connection((parts.hostname, parts.port), timeout=20) for _ in range(20)
        ]
        assert ask(url, 0, [], A.note(3))
        assert idle[0].recv(1000).startswith(b"HTTP/1.1 503 ")  # the oldest made way
        for connection in idle:
            connection.close()


def test_serve_listens_on_loopback_until_it_is_stopped(
    plain: Witness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def once(server: WitnessServer) -> None:
        assert urlsplit(server.url).hostname == "127.0.0.1"
        thread = threading.Thread(target=run, args=(server,))
        thread.start()
        assert ask(server.url, 0, [], A.note(3))
        server.shutdown()
        thread.join()

    run = WitnessServer.serve_forever
    monkeypatch.setattr(WitnessServer, "serve_forever", once)
    with caplog.at_level(logging.INFO, "chained_logging.transparency.witness"):
        serve(plain, port=0)
    assert WITNESS_KEY.format() in caplog.text


def test_the_url_of_a_server(plain: Witness) -> None:
    try:
        server = WitnessServer(plain, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert re.fullmatch(r"http://\[::1\]:[0-9]+", server.url)
