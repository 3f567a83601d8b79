"""Timestamps from an authority that OpenSSL is, verified here and by OpenSSL.

The authority is one of the tests' own: ``openssl ts`` behind a web server on 127.0.0.1. What it
would not sign is made with ``openssl cms`` from a timestamp it did sign.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import oracles
import pytest
from authority import (
    DAY,
    NOW,
    PURPOSES,
    Authority,
    Issued,
    Web,
    ec,
    reply,
    ssl,
    x509,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from chained_logging.errors import NetError, Unreachable
from chained_logging.format import note as notes
from chained_logging.format.checkpoint import Checkpoint
from chained_logging.transparency import timestamps
from chained_logging.transparency.timestamps import TimestampError, encode, fetch, verify
from chained_logging.verify import _Bad, _timestamp_time

rfc3161_client = oracles.module("rfc3161_client")
ed25519 = oracles.module("cryptography.hazmat.primitives.asymmetric.ed25519")
rsa = oracles.module("cryptography.hazmat.primitives.asymmetric.rsa")


class Key:
    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        signature: bytes = self._key.sign(data)
        return signature


CHECKPOINT = Checkpoint("example.com/log", 7, hashlib.sha256(b"root").digest())
NOTE = notes.sign_note(CHECKPOINT.format(), "example.com/log", Key()).format()


ALWAYS = (NOW - 9000 * DAY, NOW + 9000 * DAY)
ROOT = Issued("Root", ca=True, valid=ALWAYS)
OTHER_ROOT = Issued("Root", ca=True)  # of the same name, as an attacker would call it
INTERMEDIATE = Issued("Intermediate", ROOT, ca=True)
SIGNER = Issued("TSA", ROOT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tsa")
    yield folder
    shutil.rmtree(folder)  # there are private keys in it


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "usual", SIGNER)


@pytest.fixture(scope="module")
def response(authority: Authority) -> bytes:
    return authority.stamp(NOTE)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


# --- There and back.

KINDS = {
    "P-256": lambda: SIGNER,
    "P-384": lambda: Issued("TSA", ROOT, key=ec.generate_private_key(ec.SECP384R1())),
    "RSA": lambda: Issued("TSA", ROOT, key=rsa.generate_private_key(65537, 2048)),
}


def openssl_verifies(folder: Path, note: bytes, response: bytes, *roots: Issued) -> bool:
    """Ask OpenSSL the same. It takes the time of now where here it is that of the timestamp."""
    (folder / "note").write_bytes(note)
    (folder / "response").write_bytes(response)
    (folder / "roots.pem").write_bytes(b"".join(root.pem for root in roots))
    names = ["-data", "note", "-in", "response", "-CAfile", "roots.pem"]
    command = [oracles.openssl(), "ts", "-verify", *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ("Verification: OK" in done.stdout) == (done.returncode == 0)
    return done.returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_timestamped(tmp_path: Path, kind: str) -> None:
    authority = Authority(tmp_path / "tsa", KINDS[kind]())
    before = datetime.now(UTC).replace(microsecond=0)
    with Web(lambda handler, body: reply(handler, authority.answer(body))) as web:
        response = fetch(web.url, NOTE, timeout=20)
    stated = verify(NOTE, response, [ROOT.pem])
    assert before <= stated <= datetime.now(UTC)
    assert stated.tzinfo is UTC
    assert openssl_verifies(tmp_path, NOTE, response, ROOT)
    assert verify(NOTE, timestamps.decode(timestamps.encode(response)), [ROOT.pem]) == stated

    ((headers, path, body),) = web.asked
    assert headers["Content-Type"] == "application/timestamp-query"
    assert path == "/tsa?key=1234"
    (tmp_path / "asked").write_bytes(body)
    asked = ssl("ts", "-query", "-in", tmp_path / "asked", "-text").decode()
    assert "Version: 1\nHash Algorithm: sha256\n" in asked
    assert "Policy OID: unspecified" in asked
    assert "Certificate required: yes" in asked
    assert re.search("Nonce: 0x[0-9A-F]{12,16}\n", asked)


def test_each_request_has_a_nonce_of_its_own() -> None:
    assert len({timestamps.request(NOTE) for _ in range(100)}) == 100
    with pytest.raises(ValueError, match="the note must not be empty"):
        timestamps.request(b"")


def test_a_request_of_openssl_is_as_good(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(NOTE)
    for digest in ("sha256", "sha384", "sha512"):
        request = ssl("ts", "-query", "-data", tmp_path / "note", f"-{digest}", "-cert")
        assert verify(NOTE, authority.answer(request), [ROOT.pem])
    request = ssl("ts", "-query", "-data", tmp_path / "note", "-sha1", "-cert")
    with pytest.raises(TimestampError, match="Unsupported hash algorithm"):
        verify(NOTE, authority.answer(request), [ROOT.pem])
    request = ssl("ts", "-query", "-data", tmp_path / "note", "-sha256")  # without -cert
    with pytest.raises(TimestampError, match=r"signer certificate not found$"):
        verify(NOTE, authority.answer(request), [ROOT.pem])


def test_fractions_of_a_second_are_kept(tmp_path: Path) -> None:
    shown = set()
    for digits in (1, 3, 6):
        authority = Authority(tmp_path / "tsa", SIGNER, clock_precision_digits=str(digits))
        for _ in range(20):
            response = authority.stamp(NOTE)
            if (stated := verify(NOTE, response, [ROOT.pem])).microsecond:
                break
        (tmp_path / "response").write_bytes(response)
        text = ssl("ts", "-reply", "-in", tmp_path / "response", "-text").decode()
        stamp = re.search(r"Time stamp: (\w+ +\d+ [\d:]+)(\.\d+) (\d+) GMT", text)
        assert stamp is not None
        said = datetime.strptime(f"{stamp[1]} {stamp[3]}", "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        assert stated == said + timedelta(microseconds=int(stamp[2][1:].ljust(6, "0")))
        shown.add(len(stamp[2]) - 1)
    assert max(shown) > 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_is_followed_in_any_order(tmp_path: Path, order: int) -> None:
    """OpenSSL's authority leaves the certificates in the order of its file, not in DER's."""
    between = Issued("Second", INTERMEDIATE, ca=True)
    authority = Authority(
        tmp_path / "tsa", Issued("TSA", between), certs=str(tmp_path / "tsa" / "chain.pem")
    )
    chain = [INTERMEDIATE.pem, between.pem][::order]
    (tmp_path / "tsa" / "chain.pem").write_bytes(b"".join(chain))
    response = authority.stamp(NOTE)
    assert verify(NOTE, response, [ROOT.pem])
    assert openssl_verifies(tmp_path, NOTE, response, ROOT)
    with pytest.raises(TimestampError, match="unable to get issuer certificate"):
        verify(NOTE, response, [INTERMEDIATE.pem])  # it is not a root
    assert not openssl_verifies(tmp_path, NOTE, response, INTERMEDIATE)


def test_a_chain_is_completed_by_what_is_given(tmp_path: Path) -> None:
    response = Authority(tmp_path / "tsa", Issued("TSA", INTERMEDIATE)).stamp(NOTE)
    with pytest.raises(TimestampError, match="unable to get local issuer certificate"):
        verify(NOTE, response, [ROOT.pem])
    assert verify(NOTE, response, [ROOT.pem, INTERMEDIATE.pem])
    assert verify(NOTE, response, [OTHER_ROOT.pem, ROOT.pem * 2 + INTERMEDIATE.pem, ROOT.pem])


def test_the_older_form_of_naming_the_certificate(tmp_path: Path) -> None:
    response = Authority(tmp_path / "tsa", SIGNER, ess_cert_id_alg="sha1").stamp(NOTE)
    assert timestamps._SIGNING_CERTIFICATE in response
    assert verify(NOTE, response, [ROOT.pem])
    response = Authority(tmp_path / "tsa", SIGNER, ess_cert_id_alg="sha512").stamp(NOTE)
    assert timestamps._SIGNING_CERTIFICATE_V2 in response
    assert verify(NOTE, response, [ROOT.pem])


# --- What is refused.


def test_another_note(response: bytes, folder: Path) -> None:
    for other in (NOTE[:-1], NOTE + b"\n", NOTE.replace(b"\n7\n", b"\n8\n"), b"", NOTE * 2):
        with pytest.raises(TimestampError, match=r"^the timestamp is of something else than this"):
            verify(other, response, [ROOT.pem])
        assert not openssl_verifies(folder, other, response, ROOT)


def test_another_root(response: bytes, folder: Path) -> None:
    for other in (OTHER_ROOT, SIGNER):
        with pytest.raises(TimestampError, match=r"^the timestamp's certificate does not hold: "):
            verify(NOTE, response, [other.pem])
        assert not openssl_verifies(folder, NOTE, response, other)


def test_no_root(response: bytes) -> None:
    with pytest.raises(TimestampError, match=r"^no root certificate was given"):
        verify(NOTE, response, [])
    for broken in (b"", b"x", ROOT.der, ROOT.pem[:-40], ROOT.pem.replace(b"MII", b"MIJ", 1)):
        with pytest.raises(TimestampError, match=r"^a root is not a certificate in PEM"):
            verify(NOTE, response, [ROOT.pem, broken])


def unsigned(response: bytes) -> set[int]:
    """Return the places of the bytes that no signature covers and nobody reads.

    They are the two version numbers of CMS, and the name of the signature's algorithm, which the
    key has too.
    """
    versions = {response.index(b"\2\1\3\x31") + 2, response.rindex(b"\2\1\1\x30") + 2}
    name = bytes.fromhex("06082a8648ce3d040302")  # ecdsa-with-SHA256
    at = response.rindex(name)
    return versions | set(range(at + 2, at + len(name)))


@pytest.mark.parametrize("change", [0x01, 0x20, 0x80, 0xFF])
def test_an_altered_byte(response: bytes, change: int) -> None:
    stated = verify(NOTE, response, [ROOT.pem])
    passed = set()
    for at in range(len(response)):
        altered = bytearray(response)
        altered[at] ^= change
        try:
            assert verify(NOTE, bytes(altered), [ROOT.pem]) == stated
            passed.add(at)
        except TimestampError:
            pass
    assert passed <= unsigned(response)


def test_what_no_signature_covers_is_the_same_to_openssl(response: bytes, folder: Path) -> None:
    for at in unsigned(response):
        altered = bytearray(response)
        altered[at] ^= 0x01
        assert verify(NOTE, bytes(altered), [ROOT.pem])
        assert openssl_verifies(folder, NOTE, bytes(altered), ROOT)


@settings(deadline=None)
@given(data=st.data())
def test_mangled_responses(data: st.DataObject, response: bytes) -> None:
    """Whatever the bytes, there is the time it stated or a TimestampError."""
    mangled = bytearray(response)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mangled)))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "end"]))
        if kind == "set":
            mangled[at : at + 1] = data.draw(st.binary(min_size=1, max_size=4))
        elif kind == "cut":
            del mangled[at : at + data.draw(st.integers(1, 300))]
        elif kind == "insert":
            mangled[at:at] = data.draw(st.binary(max_size=30))
        else:
            del mangled[at:]
    try:
        stated = verify(NOTE, bytes(mangled), [ROOT.pem])
    except TimestampError:
        return
    assert stated == verify(NOTE, response, [ROOT.pem])


@given(garbage=st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda b: b"0" + b)))
def test_garbage(garbage: bytes) -> None:
    with pytest.raises(TimestampError):
        verify(NOTE, garbage, [ROOT.pem])


def test_too_much(response: bytes) -> None:
    for large in (response + bytes(timestamps.MAX_RESPONSE), bytes(timestamps.MAX_RESPONSE + 1)):
        with pytest.raises(TimestampError, match="has more than 262144 bytes"):
            verify(NOTE, large, [ROOT.pem])


def test_a_refusal_is_no_timestamp(tmp_path: Path) -> None:
    refusal = Authority(tmp_path / "tsa", SIGNER, digests="sha512").stamp(NOTE)
    with pytest.raises(TimestampError) as caught:
        verify(NOTE, refusal, [ROOT.pem])
    assert str(caught.value) == (
        "the authority did not grant a timestamp (status 2): "
        "'Message digest algorithm is not supported.'"
    )


def test_what_an_authority_says_cannot_write_on_a_terminal() -> None:
    said = "\x1b[2J\u202e" + "x" * 1000
    status = tlv(0x30, b"\2\1\2", tlv(0x30, tlv(0x0C, said.encode())))
    with pytest.raises(TimestampError) as caught:
        verify(NOTE, tlv(0x30, status), [ROOT.pem])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


# --- Certificates that must not vouch for a time.


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return a value in DER."""
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    long = b"" if len(content) < 128 else bytes([0x80 | len(size)])
    return bytes([tag]) + long + (size or b"\0") + content


def forged(
    response: bytes,
    signer: Issued,
    folder: Path,
    *options: str,
    change: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """Return what an authority stated, signed with any certificate by ``openssl cms``."""
    at = response.index(bytes.fromhex("060b2a864886f70d0109100104a0")) + 15  # id-ct-TSTInfo
    assert response[at] == 0x04
    info = change(response[at + 2 : at + 2 + response[at + 1]])
    signer.write(folder)
    (folder / "info").write_bytes(info)
    token = ssl(
        *("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256"),
        *("-nosmimecap", "-econtent_type", "1.2.840.113549.1.9.16.1.4"),
        *("-in", folder / "info", "-signer", folder / "tsa.pem", "-inkey", folder / "tsa.key"),
        *(options or ("-cades",)),
    )
    return tlv(0x30, bytes.fromhex("3003020100"), token)


def test_a_forgery_by_the_true_signer_holds(response: bytes, tmp_path: Path) -> None:
    """So that what follows is refused for the reason that it is there for."""
    made = forged(response, SIGNER, tmp_path)
    assert verify(NOTE, made, [ROOT.pem]) == verify(NOTE, response, [ROOT.pem])
    assert openssl_verifies(tmp_path, NOTE, made, ROOT)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"valid": (NOW - 9 * DAY, NOW - DAY)}, "certificate has expired"),
        ({"valid": (NOW + DAY, NOW + 9 * DAY)}, "certificate is not yet valid"),
        ({"purposes": (PURPOSES.SERVER_AUTH,)}, "unsuitable certificate purpose"),
        ({"purposes": (PURPOSES.CODE_SIGNING,)}, "unsuitable certificate purpose"),
        ({"purposes": None}, "unsuitable certificate purpose"),
        (
            {"purposes": (PURPOSES.TIME_STAMPING, PURPOSES.SERVER_AUTH)},
            "unsuitable certificate purpose",
        ),
        ({"critical": False}, "unsuitable certificate purpose"),
        ({"ca": True}, "unsuitable certificate purpose"),
    ],
)
def test_an_expired_certificate_or_one_for_another_purpose(
    response: bytes, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    made = forged(response, Issued("TSA", ROOT, **options), tmp_path)
    with pytest.raises(TimestampError, match=f"^the timestamp's certificate does not hold: {said}"):
        verify(NOTE, made, [ROOT.pem])
    assert not openssl_verifies(tmp_path, NOTE, made, ROOT)


def _both_refuse(response: bytes, folder: Path, *roots: Issued) -> tuple[str, str]:
    """Return why the package and the verifier's own file refuse a timestamp."""
    pem = b"".join(root.pem for root in roots)
    with pytest.raises(TimestampError) as caught:
        verify(NOTE, response, [pem])
    with pytest.raises(_Bad) as theirs:
        _timestamp_time(NOTE, encode(response), pem)
    return str(caught.value), theirs.value.reason


def test_what_is_strong_is_taken_by_both(response: bytes, tmp_path: Path) -> None:
    assert verify(NOTE, response, [ROOT.pem])
    assert _timestamp_time(NOTE, encode(response), ROOT.pem)
    for name in ("sha384", "sha512"):
        made = Authority(tmp_path / name, SIGNER, signer_digest=name).stamp(NOTE)
        assert verify(NOTE, made, [ROOT.pem])
        assert _timestamp_time(NOTE, encode(made), ROOT.pem)


def test_rsa_below_2048_bits_is_refused(response: bytes, tmp_path: Path) -> None:
    """NIST SP 800-131A, and ETSI EN 319 422 by way of TS 119 312."""
    weak = rsa.generate_private_key(65537, 1024)
    root = Issued("Weak root", ca=True, key=weak, valid=ALWAYS)
    between = Issued("Between", ROOT, ca=True, key=weak)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(between.pem)
    for signer, trusted in (
        (Issued("TSA", ROOT, key=weak), ROOT),
        (Issued("TSA", root), root),
        (Issued("TSA", between), ROOT),
    ):
        made = Authority(tmp_path / "tsa", signer, certs=str(chain)).stamp(NOTE)
        mine, theirs = _both_refuse(made, tmp_path, trusted)
        assert "RSA key of 1024 bits" in mine
        assert "too weak" in theirs or "too small" in theirs


def test_sha_1_is_refused(response: bytes, tmp_path: Path) -> None:
    """In the timestamp's signature and in those of certificates: NIST SP 800-131A."""
    made = Authority(tmp_path / "tsa", SIGNER, signer_digest="sha1").stamp(NOTE)
    mine, theirs = _both_refuse(made, tmp_path, ROOT)
    assert "over a hash that is too weak" in mine
    assert "signed over sha1" in theirs
    signer = Issued("TSA", ROOT)
    signer.sign_over_sha1(ROOT, tmp_path)
    made = Authority(tmp_path / "tsa", signer).stamp(NOTE)
    mine, theirs = _both_refuse(made, tmp_path, ROOT)
    assert "certificate of the timestamp is signed over sha1" in mine
    assert "too weak" in theirs


def test_a_time_in_the_future_is_refused(response: bytes, tmp_path: Path) -> None:
    def in_a(step: timedelta) -> Callable[[bytes], bytes]:
        then = (datetime.now(UTC) + step).strftime("%Y%m%d%H%M%SZ").encode()
        return lambda info: re.sub(rb"(?<=\x18\x0f)\d{14}Z", then, info)

    signer = Issued("TSA", ROOT, valid=ALWAYS)
    made = forged(response, signer, tmp_path, change=in_a(timedelta(seconds=120)))
    assert verify(NOTE, made, [ROOT.pem])  # no two clocks agree
    for step in (timedelta(seconds=400), timedelta(days=400)):
        made = forged(response, signer, tmp_path, change=in_a(step))
        for why in _both_refuse(made, tmp_path, ROOT):
            assert "in the future of this" in why


def test_a_root_that_had_expired(response: bytes, tmp_path: Path) -> None:
    old = Issued("Old", ca=True, valid=(NOW - 9 * DAY, NOW - DAY))
    made = forged(response, Issued("TSA", old), tmp_path)
    with pytest.raises(TimestampError, match="certificate has expired"):
        verify(NOTE, made, [old.pem])


def test_a_timestamp_outlives_its_certificates(response: bytes, tmp_path: Path) -> None:
    then = NOW - 3000 * DAY
    signer = Issued("TSA", ROOT, valid=(then - DAY, then + DAY))

    def date_back(info: bytes) -> bytes:
        return re.sub(rb"(?<=\x18\x0f)\d{14}Z", then.strftime("%Y%m%d%H%M%SZ").encode(), info)

    made = forged(response, signer, tmp_path, change=date_back)
    assert verify(NOTE, made, [ROOT.pem]) == then
    after = forged(response, signer, tmp_path)
    with pytest.raises(TimestampError, match="certificate has expired"):
        verify(NOTE, after, [ROOT.pem])


def swapped(response: bytes, old: Issued, new: Issued) -> bytes:
    """Return a response with another certificate in it, all lengths being right."""

    def rebuild(data: bytes) -> bytes:
        made = b""
        whole = timestamps._Item(0, data, 0, 0, len(data))
        for item in timestamps._items(whole):
            if item.whole == old.der:
                made += new.der
            elif old.der in item.content:
                made += tlv(item.tag, rebuild(item.content))
            else:
                made += item.whole
        return made

    return rebuild(response)


def test_a_certificate_that_the_signature_does_not_name(response: bytes, folder: Path) -> None:
    """The same key, name and number, but it lives longer: rfc3161-client alone takes it."""
    longer = Issued("TSA", ROOT, like=SIGNER, valid=(NOW - DAY, NOW + 9000 * DAY))
    made = swapped(response, SIGNER, longer)
    root = x509.load_pem_x509_certificate(ROOT.pem)
    verifier = rfc3161_client.VerifierBuilder(roots=[root]).build()
    assert verifier.verify_message(rfc3161_client.decode_timestamp_response(made), NOTE)
    with pytest.raises(TimestampError, match=r"signed with another certificate than it has in it$"):
        verify(NOTE, made, [ROOT.pem])
    assert not openssl_verifies(folder, NOTE, made, ROOT)


def test_a_signature_that_names_no_certificate(response: bytes, tmp_path: Path) -> None:
    made = forged(response, SIGNER, tmp_path, "-nosmimecap")
    with pytest.raises(TimestampError, match=r"does not say by which certificate it is$"):
        verify(NOTE, made, [ROOT.pem])
    assert not openssl_verifies(tmp_path, NOTE, made, ROOT)


def test_a_second_certificate_of_the_same_name(response: bytes, tmp_path: Path) -> None:
    def beside(signer: Issued, twin: Issued) -> bytes:
        assert twin.certificate.issuer == signer.certificate.issuer
        assert twin.certificate.serial_number == signer.certificate.serial_number
        (tmp_path / "twin.pem").write_bytes(twin.pem)
        return forged(response, signer, tmp_path, "-cades", "-certfile", f"{tmp_path}/twin.pem")

    longer = Issued("TSA", ROOT, like=SIGNER, valid=(NOW - DAY, NOW + 9000 * DAY))
    with pytest.raises(TimestampError, match=r"has not exactly one certificate of its signer$"):
        verify(NOTE, beside(SIGNER, longer), [ROOT.pem])
    # A TLS key signs, and beside its certificate is one for timestamping, of the same number.
    server = Issued("Server", ROOT, purposes=(PURPOSES.SERVER_AUTH,))
    with pytest.raises(TimestampError, match=r"^the timestamp's certificate does not hold"):
        verify(NOTE, beside(server, Issued("Server", OTHER_ROOT, like=server)), [ROOT.pem])


# --- Fetching.


def test_answers_that_are_no_timestamp(authority: Authority, response: bytes) -> None:
    other = b"another note"

    def check(
        answer: Callable[[BaseHTTPRequestHandler, bytes], None],
        kind: type[Exception],
        said: str,
        timeout: float = 20,
    ) -> None:
        with Web(answer) as web, pytest.raises(kind, match=said) as caught:
            fetch(web.url, NOTE, timeout)
        where = web.url.partition("?")[0]
        assert str(caught.value).startswith(f"{where} ")  # without what may be a password
        assert "1234" not in str(caught.value)
        assert "\n" not in str(caught.value)

    check(lambda to, _: reply(to, response), TimestampError, "a timestamp of something else$")
    check(
        lambda to, _: reply(to, authority.answer(timestamps.request(other))),
        TimestampError,
        "a timestamp of something else$",
    )
    this, that = (hashlib.sha256(note).digest() for note in (NOTE, other))
    check(
        lambda to, body: reply(to, authority.answer(body.replace(this, that))),
        TimestampError,
        "a timestamp of something else$",
    )
    check(
        lambda to, _: reply(to, b"<html>", kind="text/html; charset=utf-8"),
        TimestampError,
        "answers with text/html: it is not a timestamp response in DER",
    )
    check(lambda to, _: reply(to, b""), TimestampError, "it is not a timestamp response in DER")
    check(
        lambda to, _: reply(to, bytes.fromhex("30053003020102")),
        TimestampError,
        r"the authority did not grant a timestamp \(status 2\)$",
    )
    check(
        lambda to, _: reply(to, bytes.fromhex("30053003020100")),
        TimestampError,
        "answers with a malformed timestamp: ",
    )
    check(
        lambda to, _: reply(to, bytes(timestamps.MAX_RESPONSE + 1)),
        TimestampError,
        "answers with more than 262144 bytes$",
    )
    check(lambda to, _: reply(to, b"", 500), NetError, "answers with HTTP status 500$")
    check(
        lambda to, _: reply(to, b"", 302, Location="/elsewhere"),
        NetError,
        "answers with HTTP status 302: it is somewhere else now$",
    )
    check(lambda to, _: to.connection.close(), NetError, "broke off: ")
    check(lambda to, _: cut_short(to, response), NetError, "broke off: IncompleteRead")
    check(lambda to, _: to.wfile.flush(), NetError, "broke off: ")  # nothing at all


def cut_short(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:100])
    handler.close_connection = True


@pytest.mark.parametrize("when", ["nothing", "headers", "drops"])
def test_an_authority_that_is_slow(when: str) -> None:
    stop = threading.Event()

    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        if when == "nothing":
            stop.wait(20)
            return
        handler.send_response(200)
        handler.end_headers()
        while when == "drops" and not stop.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()
        stop.wait(20)

    with Web(answer) as web:
        start = time.monotonic()
        try:
            with pytest.raises(NetError, match=r"/tsa does not answer within 0.3 s$"):
                fetch(web.url, NOTE, 0.3)
            assert time.monotonic() - start < 5
        finally:
            stop.set()


def test_an_authority_that_is_not_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unreachable, match=f"^{url} cannot be reached: .*refused"):
            fetch(url, NOTE, 5)


def test_https_without_a_good_certificate_is_refused() -> None:
    with Web(lambda handler, body: reply(handler, b"")) as web:
        url = web.url.replace("http:", "https:")
        with pytest.raises(Unreachable, match=r"^https://127.0.0.1:\d+/tsa cannot .*: .*SSL"):
            fetch(url, NOTE, 5)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tsa.example",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://tsa.example/",
        "data:,x",
        "http:",
        "http://",
        "http:///tsa",
        "http://[::1",
        "http://tsa.example:port",
        "http://tsa.example/a b",
        "http://tsa.example/\r\nHost: x",
        "http://tsä.example/",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"^a timestamp authority's URL must begin with http"):
        fetch(url, NOTE)


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(ValueError, match=r"must not have a user name or a password$") as caught:
        fetch("https://me:hunter2@tsa.example/", NOTE)
    assert "hunter2" not in str(caught.value)


# --- Text.


@given(st.binary(min_size=1, max_size=300))
def test_text_comes_back(response: bytes) -> None:
    text = timestamps.encode(response)
    assert text == base64.b64encode(response).decode()
    assert timestamps.decode(text) == timestamps.decode(text + "\n") == response


@pytest.mark.parametrize(
    "text", ["", "\n", "*", "QQ", "QR==", "QQ==\n\n", " QQ==", "QQ==QQ==", "é"]
)
def test_what_is_no_such_text(text: str) -> None:
    with pytest.raises(TimestampError, match=r"^the timestamp is not base64"):
        timestamps.decode(text)


def test_text_has_a_limit() -> None:
    most = bytes(timestamps.MAX_RESPONSE)
    assert timestamps.decode(timestamps.encode(most)) == most
    with pytest.raises(TimestampError, match=r"has more than 262144 bytes$"):
        timestamps.decode("A" * (timestamps.MAX_RESPONSE * 2))


# --- Where something is missing or breaks.


def test_without_rfc3161_client(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    calls: list[Callable[[], object]] = [
        lambda: timestamps.request(NOTE),
        lambda: fetch("http://127.0.0.1:9/", NOTE),
        lambda: verify(NOTE, response, [ROOT.pem]),
    ]
    for call in calls:
        with pytest.raises(ImportError, match=r"pip install chained_logging\[timestamp\]$"):
            call()


def test_a_panic_in_rust_is_a_refusal(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    for raised, expected in ((PanicException, TimestampError), (KeyboardInterrupt,) * 2):

        def broken(_: bytes, raised: type[BaseException] = raised) -> None:
            raise raised

        monkeypatch.setattr(rfc3161_client, "decode_timestamp_response", broken)
        with pytest.raises(expected):
            verify(NOTE, response, [ROOT.pem])
