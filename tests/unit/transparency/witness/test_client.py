"""The client of a witness, and witnesses that misbehave."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from note_keys import LOG_KEY, ORIGIN, OTHER, WITNESS, WITNESS_KEY
from witness_logs import NAME, A
from witness_servers import saying, talking

from chained_logging.format import note as notes
from chained_logging.format.note import Note, Signature
from chained_logging.format.spelling import NoteError
from chained_logging.format.vkey import COSIGNATURE, VerifierKey
from chained_logging.transparency.witness import (
    WitnessConflict,
    WitnessError,
    ask,
    with_cosignatures,
)

_GOOD = notes.cosign(A.checkpoint(9).format(), NAME, WITNESS, 7)

_GOOD_LINE = f"{_GOOD.format()}\n".encode()


def _ask(url: str, timeout: float = 20) -> list[Signature]:
    return ask(url, 0, [], A.note(9), timeout=timeout)


def test_the_request_that_is_sent() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_GOOD_LINE)
    with talking(lambda connection: connection.sendall(head + _GOOD_LINE)) as (url, seen):
        for prefix in (url, f"{url}/", f"{url}/a/b", f"{url}/a/b/"):
            assert _ask(prefix) == [_GOOD]
    sent, _, body = seen[0].partition(b"\r\n\r\n")
    assert sent.startswith(b"POST /add-checkpoint HTTP/1.1\r\n")
    assert body == A.request(0, 9)
    assert [each.split()[1] for each in seen[2:]] == [b"/a/b/add-checkpoint"] * 2


@pytest.mark.parametrize(
    ("status", "match", "temporary"),
    [
        (301, "answers something else", False),
        (400, "finds the request malformed", False),
        (401, "answers something else", False),
        (403, "no valid signature of a key that it trusts", False),
        (404, "does not know this log", False),
        (413, "of this length", False),
        (422, "does not continue the one it cosigned", False),
        (429, "too often", True),
        (500, "cannot answer now", True),
        (503, "cannot answer now", True),
        (204, "answers something else", False),
        (418, "answers something else", False),
    ],
)
def test_each_refusal_has_its_sentence(status: int, match: str, temporary: bool) -> None:
    body = b"" if status == 204 else b"\x1b[31m\nbecause \xff"
    with saying(status, body) as url, pytest.raises(WitnessError, match=match) as caught:
        _ask(url)
    assert (caught.value.status, caught.value.temporary) == (status, temporary)
    assert not isinstance(caught.value, WitnessConflict)
    assert str(caught.value).isprintable()


def test_redirects_are_not_followed() -> None:
    with talking(lambda connection: connection.sendall(b"")) as (elsewhere, seen):
        for status in (301, 302, 303, 307, 308):
            location = b"Location: %b/add-checkpoint\r\n" % elsewhere.encode()
            with saying(status, b"", location) as url, pytest.raises(WitnessError) as caught:
                _ask(url)
            assert caught.value.status == status
    assert not seen


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"9", b"x\n", b"-1\n", b"09\n", b"0\n", b"9\n9\n", b"\xff", b"9" * 30 + b"\n"],
)
def test_a_conflict_needs_a_size(body: bytes) -> None:
    with saying(409, body) as url, pytest.raises(WitnessError) as caught:
        _ask(url)
    assert isinstance(caught.value, WitnessConflict) == (body == b"9")  # a newline less is no harm


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"hello\n",
        b"\xff\xfe\n",
        _GOOD_LINE[:-1],
        _GOOD_LINE + b"\n",
        _GOOD_LINE + b"hello\n",
        _GOOD_LINE.replace(b"\n", b"\r\n"),
        _GOOD_LINE * 101,
        A.note(9),
    ],
    ids=lambda body: ascii(body[-20:]),
)
def test_an_answer_that_is_no_cosignature(body: bytes) -> None:
    with saying(200, body) as url, pytest.raises(WitnessError, match="other than signatures"):
        _ask(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello\r\n\r\n",
        b"\0" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + _GOOD_LINE,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
        b"HTTP/1.1 99999 OK\r\n\r\n",
    ],
    ids=lambda answer: ascii(answer[:60]),
)
def test_an_answer_that_is_no_http(answer: bytes) -> None:
    with (
        talking(lambda connection: connection.sendall(answer)) as (url, _),
        pytest.raises(WitnessError, match="did not answer") as caught,
    ):
        _ask(url)
    assert caught.value.status is None
    assert caught.value.temporary


@pytest.mark.parametrize(
    "begin", [b"", b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"]
)
def test_a_slow_witness_is_left(begin: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(begin)
        for _ in range(200):
            time.sleep(0.05)
            connection.sendall(b"x")

    with talking(drip) as (url, _):
        started = time.monotonic()
        with pytest.raises(WitnessError, match="did not answer"):
            _ask(url, timeout=0.3)
        assert time.monotonic() - started < 8


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(WitnessError, match=r"did not answer.*refused") as caught:
        _ask(f"http://127.0.0.1:{port}")
    assert caught.value.temporary
    with pytest.raises(WitnessError, match="did not answer"):
        _ask(f"http://{'x' * 70}.invalid")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/x",
        "file:///etc/passwd",
        "ftp://x/",
        "http://",
        "http:///x",
        "http://u:p@x/",
        "http://x/?y",
        "http://x/#y",
        "http://x/ y",
        "http://x/\n",
        "http://x/\u0142",
        "http://x:99999/",
        "http://x:y/",
        "HTTP//x",
        "data:,x",
    ],
)
def test_a_url_that_no_witness_has(url: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)url|port"):
        _ask(url)


def _certificate(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "witness")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_GOOD_LINE)
    with talking(lambda connection: connection.sendall(head + _GOOD_LINE), context) as (url, _):
        with pytest.raises(WitnessError, match="CERTIFICATE_VERIFY_FAILED"):
            _ask(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert _ask(url) == [_GOOD]
    slow = b"HTTP/1.1 200 OK\r\nx: y\r\n"

    def hang(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(slow)
            time.sleep(0.05)

    with talking(hang, context) as (url, _):
        started = time.monotonic()
        with pytest.raises(WitnessError, match="did not answer"):
            _ask(url, timeout=0.5)
        assert time.monotonic() - started < 8


def test_cosignatures_are_verified_before_they_are_taken() -> None:
    note, text = A.note(9), A.checkpoint(9).format()
    older = notes.cosign(text, NAME, WITNESS, 3)
    second = notes.cosign(text, "witness.example/w2", OTHER, 8)
    second_key = VerifierKey("witness.example/w2", COSIGNATURE, OTHER.public_key)
    unknown = Signature("x", b"1234", bytes(72))
    keys = [WITNESS_KEY, second_key]

    def names(data: bytes) -> list[tuple[str, int | None]]:
        return [
            (key.name, time) for key, time in notes.verify_note(Note.parse(data), [LOG_KEY, *keys])
        ]

    once = with_cosignatures(note, [unknown, older], keys)
    assert names(once) == [(ORIGIN, None), (NAME, 3)]
    twice = with_cosignatures(once, [_GOOD, second], keys)
    assert names(twice) == [(ORIGIN, None), (NAME, 7), ("witness.example/w2", 8)]
    assert len(Note.parse(twice).signatures) == 3
    message = f"cosignature/v1\ntime 0\n{text}".encode()
    zero = Signature(NAME, WITNESS_KEY.id, bytes(8) + WITNESS.sign(message))
    wrong = Signature(NAME, WITNESS_KEY.id, _GOOD.value[:-1] + bytes([_GOOD.value[-1] ^ 1]))
    for signatures, match in (
        ([], "no cosignature of a known key"),
        ([unknown], "no cosignature of a known key"),
        (list(Note.parse(note).signatures), "no cosignature of a known key"),
        ([wrong], "is not valid"),
        ([second, wrong], "is not valid"),
        ([notes.cosign(A.checkpoint(8).format(), NAME, WITNESS, 7)], "is not valid"),
        ([zero], "states no time"),
    ):
        with pytest.raises(NoteError, match=match):
            with_cosignatures(note, signatures, [*keys, LOG_KEY])
