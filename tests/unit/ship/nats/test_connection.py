"""A connection to NATS: what is sent, shown and refused."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from nats_logs import ORIGIN, Stream
from programs import free_port
from servers_nats import (
    PASSWORD,
    NatsServer,
    running_nats,
)

from chained_logging.errors import DestinationError, Refused
from chained_logging.ship import nats
from chained_logging.ship.nats import (
    NatsDestination,
)
from chained_logging.ship.nats.connection import Connection, subjects_of


def test_a_message_that_the_server_cannot_take_is_refused_at_once() -> None:
    with (
        running_nats("max_payload: 65536") as server,
        pytest.raises(Refused, match="max_payload is 65536"),
    ):
        nats.init(server.url("AUDIT"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_tls_checks_the_name_and_who_signed_it(certificates: Path) -> None:
    config = (
        f'tls {{ cert_file: "{certificates}/cert.pem", key_file: "{certificates}/key.pem" }}\n'
        f'authorization {{ user: app, password: "{PASSWORD}" }}'
    )
    login = "app:k7-hush%2Fhush%40%25"
    with running_nats(config) as server:
        ca = f"?ca={certificates}/cert.pem"
        good = f"tls://{login}@localhost:{server.port}/AUDIT{ca}"
        assert nats.init(good)
        for url, why in (
            (f"tls://{login}@localhost:{server.port}/AUDIT", "certificate"),
            (f"tls://{login}@127.0.0.1:{server.port}/AUDIT{ca}", "certificate"),
            (f"tls://app:wrong-one@localhost:{server.port}/AUDIT{ca}", "uthorization"),
        ):
            destination = NatsDestination(url)
            with pytest.raises(DestinationError, match=why) as error:
                destination.head(ORIGIN)
            shown = f"{error.value!r} {error.value} {destination.name} {vars(destination)}"
            assert "hush" not in shown
            assert "wrong-one" not in shown


def test_no_password_is_sent_where_tls_was_asked_for_and_not_offered() -> None:
    """Whoever sits in between says that the server wants no TLS."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        info = {"server_id": "x", "version": "2.9.10", "max_payload": 1 << 20, "headers": True,
                "proto": 1, "auth_required": True, "tls_required": False}  # fmt: skip

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(3)
                connection.sendall(f"INFO {json.dumps(info)}\r\n".encode())
                while data := connection.recv(10_000):
                    heard.extend(data)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        destination = NatsDestination(f"tls://app:secret-word@127.0.0.1:{port}/AUDIT")
        with pytest.raises(DestinationError, match="offers no TLS"):
            destination.head(ORIGIN)
        thread.join(5)
    assert bytes(heard) == b""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nats://host/", "nats://host:4222/STREAM"),
        ("nats://host/A.B", "nats://host:4222/STREAM"),
        ("http://host/AUDIT", "nats://host:4222/STREAM"),
        ("nats:///AUDIT", "log in"),
        ("nats://hush@host/AUDIT", "log in"),
        ("nats://host/AUDIT?password=hush", "may have"),
        ("nats://host/AUDIT?ca=x", "begin the URL with tls"),
    ],
)
def test_what_is_no_url_of_a_stream_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        Connection(url)
    assert "hush" not in str(error.value)


def test_a_name_shows_servers_and_user_and_no_secret() -> None:
    for login, shown in (("app:hush", "app@"), (":hush", ""), ("", "")):
        connection = Connection(f"nats://{login and login + '@'}a:1,b:2/AUDIT")
        assert connection.name == f"nats://{shown}a:1,b:2/AUDIT"
        assert connection._servers == ["nats://a:1", "nats://b:2"]


def test_a_server_that_is_not_there_is_an_error_and_leaves_no_thread() -> None:
    connection = Connection(f"nats://127.0.0.1:{free_port()}/AUDIT")
    with pytest.raises(DestinationError):
        connection.open()
    connection.close()
    assert not [one for one in threading.enumerate() if one.name == "chained_logging nats"]


def test_what_was_published_is_read_as_it_is_stored(stream: Stream) -> None:
    subject = stream.subject(ORIGIN)
    connection = Connection(stream.url)
    connection.open()
    try:
        assert connection.partitions == stream.partitions
        assert connection.last(subject) is None
        for number in range(3):
            stream.publish(subject, {"X": str(number)}, b"data %d" % number)
        found = connection.last(subject)
        assert found is not None
        assert (found[0], found[1]["X"], found[2]) == (3, "2", b"data 2")
        stored = [
            (n, dict(headers or {}), data)
            for n, _, headers, data in connection.messages(subject, 2)
        ]
        assert stored == [(2, {"X": "1"}, b"data 1"), (3, {"X": "2"}, b"data 2")]
        assert connection.deleted() == 0
    finally:
        connection.close()


def test_a_bucket_has_objects_by_key(stream: Stream) -> None:
    connection = Connection(stream.url)
    connection.open()
    try:
        bucket = connection.bucket("stopped")
        assert connection.get(bucket, "a.x") is None
        for key, value in (("a.x", b'{"reason": "y"}'), ("a.y", b"["), ("b.x", b"{}")):
            connection.ask(bucket.put(key, value))
        assert connection.get(bucket, "a.x") == {"reason": "y"}
        assert connection.get(bucket, "a.y") == {}
        assert connection.keys("stopped", "a.") == ["a.x", "a.y"]
        with pytest.raises(Refused, match="there is no bucket"):
            connection.bucket("others")
    finally:
        connection.close()


def test_a_stream_that_init_did_not_make_is_refused(nats_server: NatsServer) -> None:
    connection = Connection(nats_server.url("NOBODYS"))
    with pytest.raises(Refused, match="there is no stream NOBODYS: run init"):
        connection.open()
    connection.close()
    assert subjects_of("A", 2) == ["A.0.*", "A.1.*"]
